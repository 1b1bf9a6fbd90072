/** Copies that are kept: used from then on, never half a file, given up when wrong, and not missed when there is no room. */
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { cacheStore } from '../../src/sources/cache-store.ts';
import { directoryStore } from '../../src/sources/directory-store.ts';
import { httpSource } from '../../src/sources/http.ts';
import { type FileStore, storedSource } from '../../src/sources/stored.ts';
import { convertFixture, fixture, wasmModel } from '../support/engines/models.ts';
import { cutAfter, type FileServer, type Misbehaviour, serveFiles } from './file-server.ts';

const SHARD = 'weights-000.bin';
const good = await convertFixture('tiny-llama', 'int4');
const files = new Map<string, Uint8Array>();
for (const file of ['config.json', 'manifest.json'])
  files.set(file, Buffer.from(JSON.stringify(await good.json(file))));
files.set(SHARD, new Uint8Array(await new Response((await good.stream(SHARD)) as BodyInit).arrayBuffer()));

let server: FileServer;
let warnings: string[] = [];
afterEach(() => server.close());

async function open(store: FileStore, misbehave?: Misbehaviour, served = files) {
  server = await serveFiles(served, misbehave);
  return stored(store);
}

function stored(store: FileStore) {
  warnings = [];
  const source = httpSource(server.url, { patience: { retries: 1, backoffMs: 1 } });
  return storedSource(source, store, (sentence) => warnings.push(sentence));
}

/** The part of a browser's Cache that is used, in memory. */
class FakeCache {
  readonly entries = new Map<string, Uint8Array<ArrayBuffer>>();
  room = Number.POSITIVE_INFINITY;

  async match(url: string): Promise<Response | undefined> {
    const bytes = this.entries.get(url);
    return bytes && new Response(bytes);
  }

  async put(url: string, response: Response): Promise<void> {
    const pieces: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of response.body as ReadableStream<Uint8Array>) {
      size += chunk.length;
      if (size > this.room) throw new DOMException('Quota exceeded.', 'QuotaExceededError');
      pieces.push(chunk);
    }
    this.entries.set(url, new Uint8Array(Buffer.concat(pieces)));
  }

  async delete(url: string): Promise<boolean> {
    return this.entries.delete(url);
  }
}

const stores: [
  string,
  () => Promise<{ store: FileStore; names: () => Promise<string[]>; damage: () => Promise<void> }>,
][] = [
  [
    'a directory',
    async () => {
      const directory = join(await mkdtemp(join(tmpdir(), 'seedling-store-')), 'below', 'it');
      const path = join(directory, SHARD);
      return {
        store: directoryStore(directory),
        names: async () => (await readdir(directory)).sort(),
        damage: async () => writeFile(path, flip(await readFile(path))),
      };
    },
  ],
  [
    'a browser cache',
    async () => {
      const cache = new FakeCache();
      const base = 'https://models.example/tiny/';
      return {
        store: cacheStore(cache as never, (file) => base + file),
        names: async () => [...cache.entries.keys()].map((url) => url.slice(base.length)).sort(),
        damage: async () => void cache.entries.set(base + SHARD, flip(cache.entries.get(base + SHARD) as never)),
      };
    },
  ],
];

function flip(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes.map((byte, i) => (i === 777 ? byte ^ 1 : byte)));
}

describe.each(stores)('%s', (_name, create) => {
  test('reads through once, and works without the server after it', async () => {
    const { store, names } = await create();
    const source = await open(store);
    await wasmModel(source, 'simd');
    expect(await names()).toEqual(['config.json', 'manifest.json', SHARD]);
    await wasmModel(stored(store), 'simd');
    expect(server.asked.filter(({ path }) => path === SHARD)).toHaveLength(1);
    expect(warnings).toEqual([]);
    await server.close();
    expect((await wasmModel(source, 'simd')).config.name).toBe('tiny-llama');
    expect(warnings[0]).toMatch(/^config\.json cannot be read: .*; the copy of it that was kept is used\.$/);
  });

  test('a copy that has rotted is fetched again', async () => {
    const { store, damage } = await create();
    await wasmModel(await open(store), 'simd');
    await damage();
    await wasmModel(stored(store), 'simd');
    await wasmModel(stored(store), 'simd');
    expect(server.asked.filter(({ path }) => path === SHARD)).toHaveLength(2);
  });

  test('nothing stays of what does not come whole, nor of what is wrong', async () => {
    const { store, names } = await create();
    const cut = await open(store, (request, response, content) =>
      request.url === `/${SHARD}` ? cutAfter(response, content, 1000) : false,
    );
    await expect(wasmModel(cut, 'simd')).rejects.toThrow(/weights-000\.bin cannot be read/);
    expect(await names()).toEqual(['config.json', 'manifest.json']);
    await server.close();
    const wrong = new Map([...files, [SHARD, flip(files.get(SHARD) as Uint8Array)]]);
    await expect(wasmModel(await open(store, undefined, wrong), 'simd')).rejects.toThrow(/weights-000\.bin is corrupt/);
    expect(server.asked.filter(({ path }) => path === SHARD)).toHaveLength(2);
  });

  test('the server denies what was kept: no copy hides that', async () => {
    const { store } = await create();
    await wasmModel(await open(store), 'simd');
    await server.close();
    await expect((await open(store, undefined, new Map())).json('config.json')).rejects.toThrow(
      /is missing \(status 404\)/,
    );
  });
});

test('a full browser cache is a sentence, and the model loads', async () => {
  const cache = new FakeCache();
  cache.room = 5000;
  const source = await open(cacheStore(cache as never, (file) => `https://models.example/tiny/${file}`));
  expect((await wasmModel(source, 'simd')).config.name).toBe('tiny-llama');
  expect(warnings).toContain(
    'weights-000.bin cannot be kept: the storage that this site may use is full. It is loaded again the next time.',
  );
  expect(cache.entries.has(`https://models.example/tiny/${SHARD}`)).toBe(false);
});

test('a directory that cannot be made is a sentence, and the model loads', async () => {
  const source = await open(directoryStore(join(fixture('tiny-llama'), 'config.json', 'below')));
  expect((await wasmModel(source, 'simd')).config.name).toBe('tiny-llama');
  expect(warnings).toContainEqual(expect.stringMatching(/^weights-000\.bin cannot be kept: ENOTDIR/));
});
