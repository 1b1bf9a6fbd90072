/** The weights of a model in the page: fetched once, continued, checked, and loaded where there is no room to keep them. */
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EXECUTABLE, launchChromium } from '../../bench/decode/browser/chromium.ts';
import { convert } from '../../src/convert/convert.ts';
import type { FromWorker, LoadProgress, ToWorker } from '../../src/playground/shared/protocol.ts';
import { ETAG, type FileServer, type Misbehaviour, serveFiles } from '../sources/file-server.ts';
import { fixture } from '../support/engines/models.ts';

const MODEL = 'tiny-llama';
const SHARD = `models/${MODEL}/weights-000.bin`;
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.wasm': 'application/wasm',
};

const hasChromium = existsSync(EXECUTABLE);
if (!hasChromium) console.warn(`The page's weights are not tested in a browser: ${EXECUTABLE} is missing.`);

declare global {
  var told: FromWorker[];
}

describe.skipIf(!hasChromium)('weights in the page', { timeout: 60_000 }, () => {
  const files = new Map<string, Uint8Array>([['page.html', Buffer.from('<!doctype html>')]]);
  let shard: Uint8Array;
  let browser: Browser;
  let server: FileServer;
  let page: Page;
  let misbehave: Misbehaviour = () => false;

  beforeAll(async () => {
    const out = await mkdtemp(join(tmpdir(), 'seedling-weights-'));
    await convert(fixture(MODEL), { name: MODEL, out, dtype: 'int4', embedding: 'int4', semantics: {} });
    const put = async (directory: string, under: string) => {
      for (const name of await readdir(directory)) files.set(`${under}/${name}`, await readFile(join(directory, name)));
    };
    await put('dist/assets/playground', 'playground');
    await put(join(out, MODEL), `models/${MODEL}`);
    shard = files.get(SHARD)!;
    server = await serveFiles(files, (request, response, content) => {
      const type = TYPES[extname(request.url!)];
      if (type) return response.writeHead(200, { 'content-type': type }).end(content);
      return request.url === `/${SHARD}` ? misbehave(request, response, content) : false;
    });
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });
  beforeEach(async () => {
    misbehave = () => false;
    page = await (await browser.newContext()).newPage();
    await page.goto(`${server.url}page.html`);
  });

  /** Starts the page's worker, which loads the model. */
  const start = (apiKey = '') => {
    const message: ToWorker = { type: 'load', model: MODEL, runtime: 'wasm', threads: 1, apiKey };
    return page.evaluate((load) => {
      globalThis.told = [];
      const worker = new Worker('/playground/worker.js', { type: 'module' });
      worker.onmessage = ({ data }) => globalThis.told.push(data);
      worker.postMessage(load);
    }, message);
  };
  /** Waits for the last message about the load. */
  async function end() {
    await page.waitForFunction(() => globalThis.told.at(-1)?.type.startsWith('load'));
    const told = await page.evaluate(() => globalThis.told);
    const progress = told.filter((message) => message.type === 'progress').map((message) => message.progress);
    return { last: told.at(-1)!, progress };
  }
  async function load(apiKey = '') {
    await start(apiKey);
    return end();
  }
  const asked = () => server.asked.filter(({ path }) => path === SHARD);
  const all = (cached: number): LoadProgress => ({ loaded: shard.length, total: shard.length, cached });
  const loaded = (warnings: unknown = []) => ({ type: 'loaded', description: expect.any(String), warnings });

  test('are fetched once, and come from the browser after a reload', async () => {
    const before = asked().length;
    const first = await load();
    expect(first.last).toEqual(loaded());
    expect(first.progress[0]).toEqual({ loaded: 0, total: shard.length, cached: 0 });
    expect(first.progress.at(-1)).toEqual(all(0));
    await page.reload();
    const second = await load();
    expect(second.last).toEqual(loaded());
    expect(second.progress.at(-1)).toEqual(all(shard.length));
    expect(asked()).toHaveLength(before + 1);
  });

  test('go on where a page that was reloaded in the middle was', async () => {
    const half = shard.length >> 1;
    misbehave = (_, response) => {
      response.writeHead(200, { etag: ETAG, 'content-length': shard.length });
      response.write(shard.subarray(0, half));
    };
    await start();
    const arrived = (bytes: number) =>
      globalThis.told.some((message) => message.type === 'progress' && message.progress.loaded === bytes);
    await page.waitForFunction(arrived, half);
    await page.reload();
    misbehave = () => false;
    const { last, progress } = await load();
    expect(last).toEqual(loaded());
    expect(progress.at(-1)).toEqual(all(half));
    expect(asked().at(-1)?.range).toBe(`bytes=${half}-`);
  });

  test('are fetched again where the copy has rotted, and counted once', async () => {
    await load();
    const before = asked().length;
    await page.evaluate(async () => {
      const cache = await caches.open('seedling-weights');
      const [key] = await cache.keys();
      const bytes = new Uint8Array(await (await cache.match(key!))!.arrayBuffer());
      bytes[777]! ^= 1;
      await cache.put(key!, new Response(bytes));
    });
    const { last, progress } = await load();
    expect(last).toEqual(loaded());
    expect(Math.max(...progress.map((now) => now.loaded))).toBe(shard.length);
    expect(progress.at(-1)).toEqual(all(0));
    expect(asked()).toHaveLength(before + 1);
    expect((await load()).progress.at(-1)).toEqual(all(shard.length));
  });

  test('of an older version go, in the cache and in OPFS', async () => {
    const names = () =>
      page.evaluate(async (model) => {
        const root = await navigator.storage.getDirectory();
        const parts = await (await root.getDirectoryHandle('seedling-weights')).getDirectoryHandle(model);
        const cache = await caches.open('seedling-weights');
        const left: string[] = [];
        for await (const name of (parts as unknown as { keys(): AsyncIterable<string> }).keys()) left.push(name);
        return [...left, ...(await cache.keys()).map(({ url }) => new URL(url).pathname)];
      }, MODEL);
    await load();
    await page.evaluate(async (model) => {
      const root = await navigator.storage.getDirectory();
      const parts = await (await root.getDirectoryHandle('seedling-weights')).getDirectoryHandle(model);
      await parts.getFileHandle('weights-000.bin.0123456789abcdef', { create: true });
      const cache = await caches.open('seedling-weights');
      await cache.put(`/models/${model}/weights-007.bin?sha256=01`, new Response('old'));
      await cache.put('/models/another/weights-007.bin?sha256=01', new Response('stays'));
    }, MODEL);
    expect(await names()).toHaveLength(4);
    expect((await load()).last).toEqual(loaded());
    expect((await names()).sort()).toEqual(['/models/another/weights-007.bin', `/${SHARD}`]);
  });

  test('load where the browser has no room to keep them, and the page says so', async () => {
    const session = await page.context().newCDPSession(page);
    await session.send('Storage.overrideQuotaForOrigin', { origin: new URL(server.url).origin, quotaSize: 1000 });
    const { last, progress } = await load();
    const sentence = /^weights-000\.bin cannot be kept: the storage that this site may use is full\./;
    expect(last).toEqual(loaded(expect.arrayContaining([expect.stringMatching(sentence)])));
    expect(progress.at(-1)).toEqual(all(0));
  });

  test('that need a key are asked for with it, and without one the reader learns of it', async () => {
    misbehave = (request, response) =>
      request.headers.authorization === 'Bearer sk-test' ? false : response.writeHead(401).end();
    expect((await load()).last).toEqual({
      type: 'load-failed',
      message: expect.stringContaining(
        'this server gives out weights-000.bin only with an API key; enter yours under Server.',
      ),
    });
    expect((await load('sk-test')).last).toEqual(loaded());
  });
});
