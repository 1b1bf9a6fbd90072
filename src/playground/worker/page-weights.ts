/** A model's files in the page. Shards are kept in Cache Storage under their checksums, so each is fetched once. */
import { ModelLoadError } from '../../model/errors.ts';
import type { WeightSource } from '../../model/weight-source.ts';
import { readManifest } from '../../model/weights.ts';
import { cacheStore } from '../../sources/cache-store.ts';
import { continued } from '../../sources/continued.ts';
import { fileUrl, httpBytes, httpSource } from '../../sources/http.ts';
import { TransferError } from '../../sources/resumable.ts';
import { storedSource } from '../../sources/stored.ts';
import type { LoadProgress } from '../shared/protocol.ts';
import { ShardProgress } from './shard-progress.ts';
import { openParts } from './weight-parts.ts';

const CACHE = 'seedling-weights';

/**
 * Config, tokenizer and manifest come from the server each time; the service worker keeps them for offline use. A shard
 * comes from the cache. Otherwise it comes from the server, after the part that an earlier visit left in OPFS.
 * @param apiKey for servers that do not give out weights to everybody; empty for none
 * @param onProgress called as bytes of the shards arrive, and once for the bytes that are in the browser already
 * @param warn gets one sentence where a shard cannot be kept; the model loads all the same
 * @throws ModelLoadError (here, and from the source) naming the file
 */
export async function pageWeights(
  model: string,
  apiKey: string,
  onProgress: (progress: LoadProgress) => void,
  warn: (sentence: string) => void,
): Promise<WeightSource> {
  const base = new URL(`/models/${model}/`, location.origin).href;
  const options = { fetch: fetchOrAskForKey, headers: apiKey === '' ? {} : { authorization: `Bearer ${apiKey}` } };
  // Asked for once: a reader who is offline should learn it at once.
  const { json } = httpSource(base, { ...options, patience: { retries: 0 } });
  const server: WeightSource = { json, stream: httpSource(base, options).stream };
  // Outside a secure context there is no cache: each load fetches the shards anew.
  if (typeof caches === 'undefined') return server;

  const { shards } = await readManifest(server);
  const cache = await caches.open(CACHE);
  const keys = new Map(shards.map(({ file, sha256 }) => [file, `${fileUrl(base, file)}?sha256=${sha256}`]));
  const partNames = new Map(shards.map(({ file, sha256 }) => [file, `${file}.${sha256.slice(0, 16)}`]));
  await forgetOthers(cache, base, new Set(keys.values()));
  const parts = await openParts(model, new Set(partNames.values()));
  const progress = new ShardProgress(shards, onProgress);
  for (const { file, bytes } of shards) if (await cache.match(keyOf(file))) progress.found(file, bytes);

  function keyOf(file: string): string {
    const key = keys.get(file);
    if (key === undefined) throw new ModelLoadError(`${file} is not in the manifest`);
    return key;
  }

  async function* fromServer(file: string, from: number) {
    for await (const chunk of httpBytes(base, file, options, from)) {
      progress.arrived(file, chunk.length);
      yield chunk;
    }
  }

  const arriving = (file: string) =>
    continued(
      parts,
      partNames.get(file)!,
      (from) => fromServer(file, from),
      (bytes) => progress.found(file, bytes),
      warn,
    );
  const kept = storedSource({ json, stream: arriving }, cacheStore(cache, keyOf), warn);
  return {
    json,
    stream: kept.stream,
    async discard(file) {
      progress.lost(file);
      await kept.discard?.(file);
    },
  };
}

/** Removes shards of this model that its manifest no longer names. */
async function forgetOthers(cache: Cache, base: string, wanted: ReadonlySet<string>): Promise<void> {
  const stale = (await cache.keys()).filter(({ url }) => url.startsWith(base) && !wanted.has(url));
  await Promise.all(stale.map((request) => cache.delete(request)));
}

/** `fetch`, with a sentence for the reader where the server wants a key. */
async function fetchOrAskForKey(url: string | URL | Request, init?: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  if (response.status !== 401) return response;
  await response.body?.cancel();
  const file = String(url).split('/').at(-1);
  throw new TransferError(`this server gives out ${file} only with an API key; enter yours under Server`, false);
}
