/** A model's files over HTTP. Weight shards are kept in the browser's cache under their checksums, so each is fetched once. */
import { ModelLoadError } from '../../model/errors.ts';
import type { WeightSource } from '../../model/weight-source.ts';
import { readManifest } from '../../model/weights.ts';
import { parseJson } from '../../sources/answer.ts';
import { continued } from '../../sources/continued.ts';
import { transfer } from '../../sources/resumable.ts';
import type { LoadProgress } from '../shared/protocol.ts';
import { openParts } from './weight-parts.ts';

const CACHE = 'seedling-weights';

/**
 * @param apiKey for servers that do not give out weights to everybody; empty for none
 * @param onProgress called as bytes of the shards arrive, also with those that were in the cache
 * @throws ModelLoadError naming the file that is missing
 */
export async function cachedSource(
  model: string,
  apiKey: string,
  onProgress: (progress: LoadProgress) => void,
): Promise<WeightSource> {
  const base = new URL(`/models/${model}/`, location.origin);
  const get = (file: string) => fetchFile(new URL(file, base), apiKey);
  const source: WeightSource = {
    json: async (file) => parseJson(file, await (await get(file)).text()),
    stream: async (file) => body(file, await get(file)),
  };
  const { shards } = await readManifest(source);
  // Outside a secure context there is no cache: the page says so, and each load fetches anew.
  if (typeof caches === 'undefined') return source;
  const cache = await caches.open(CACHE);
  const keys = new Map(shards.map(({ file, sha256 }) => [file, new URL(`${file}?sha256=${sha256}`, base).href]));
  await forgetOthers(cache, base, new Set(keys.values()));
  const progress = new Progress(
    shards.reduce((sum, { bytes }) => sum + bytes, 0),
    onProgress,
  );
  const names = new Map(shards.map(({ file, sha256 }) => [file, `${file}.${sha256.slice(0, 16)}`]));
  const parts = await openParts(model, new Set(names.values()));
  const headers = authorization(apiKey);
  async function* rest(file: string, from: number) {
    for await (const chunk of transfer(new URL(file, base).href, file, { headers }, from)) {
      progress.arrived(chunk.length);
      yield chunk;
    }
  }
  /** What an earlier visit had fetched of a shard when it was left, and the rest from the server. */
  const arriving = (file: string) =>
    continued(
      parts,
      names.get(file) ?? file,
      (from) => rest(file, from),
      (bytes) => progress.found(bytes),
      console.warn,
    );
  for (const { file, bytes } of shards) if (await cache.match(keys.get(file) ?? '')) progress.found(bytes);

  return {
    json: source.json,
    async stream(file) {
      const key = keys.get(file);
      if (key === undefined) return source.stream(file);
      const kept = (await cache.match(key)) ?? (await keep(cache, key, await arriving(file)));
      return body(file, kept);
    },
    async discard(file) {
      await cache.delete(keys.get(file) ?? '');
    },
  };
}

class Progress {
  #loaded = 0;
  #cached = 0;
  readonly #total: number;
  readonly #report: (progress: LoadProgress) => void;

  constructor(total: number, report: (progress: LoadProgress) => void) {
    this.#total = total;
    this.#report = report;
    this.arrived(0);
  }

  found(bytes: number): void {
    this.#cached += bytes;
    this.arrived(bytes);
  }

  arrived(bytes: number): void {
    this.#loaded += bytes;
    this.#report({ loaded: this.#loaded, total: this.#total, cached: this.#cached });
  }
}

/** Through the cache and back: so no shard is in memory twice, and what is read is what will be read offline. */
async function keep(cache: Cache, key: string, bytes: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<Response> {
  try {
    await cache.put(key, new Response(bytes));
  } catch (error) {
    if (error instanceof DOMException && error.name === 'QuotaExceededError') {
      throw new ModelLoadError('the browser has no room left to keep the weights');
    }
    throw new ModelLoadError(`the weights stopped arriving: ${error instanceof Error ? error.message : error}`);
  }
  const kept = await cache.match(key);
  if (kept === undefined) throw new ModelLoadError('the browser did not keep the weights that it was given');
  return kept;
}

/** Shards of this model that its manifest no longer names. */
async function forgetOthers(cache: Cache, base: URL, wanted: ReadonlySet<string>): Promise<void> {
  const stale = (await cache.keys()).filter(({ url }) => url.startsWith(base.href) && !wanted.has(url));
  await Promise.all(stale.map((request) => cache.delete(request)));
}

async function fetchFile(url: URL, apiKey: string): Promise<Response> {
  const file = url.pathname.slice(1);
  const response = await fetch(url, { headers: authorization(apiKey) }).catch((error: unknown) => {
    throw new ModelLoadError(`${file} cannot be fetched: ${error instanceof Error ? error.message : String(error)}`);
  });
  if (response.ok) return response;
  await response.body?.cancel();
  throw new ModelLoadError(refusal(file, response.status));
}

function authorization(apiKey: string): Record<string, string> {
  return apiKey === '' ? {} : { authorization: `Bearer ${apiKey}` };
}

function refusal(file: string, status: number): string {
  if (status === 401) return `this server gives out ${file} only with an API key; enter yours under Server`;
  return status === 404 ? `this server does not give out ${file}` : `${file} came with status ${status}`;
}

function body(file: string, response: Response): ReadableStream<Uint8Array> {
  if (response.body === null) throw new ModelLoadError(`${file} is empty`);
  return response.body;
}
