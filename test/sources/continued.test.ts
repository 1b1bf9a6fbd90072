/** A page that is reloaded in the middle of a file goes on where it was, in Chromium and its OPFS. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { build } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EXECUTABLE, launchChromium } from '../../bench/decode/browser/chromium.ts';
import type { Seen } from './continued-worker.ts';
import { ETAG, type FileServer, type Misbehaviour, serveFiles } from './file-server.ts';

const content = Uint8Array.from({ length: 700_000 }, (_, i) => (i * 2654435761) >>> 24);
const sha256 = createHash('sha256').update(content).digest('hex');
const HALF = 400_000;

const hasChromium = existsSync(EXECUTABLE);
if (!hasChromium) console.warn(`Parts in OPFS are not tested in a browser: ${EXECUTABLE} is missing.`);

declare global {
  var seen: Seen;
}

describe.skipIf(!hasChromium)('a file through OPFS', { timeout: 60_000 }, () => {
  let browser: Browser;
  let server: FileServer;
  let page: Page;
  let misbehave: Misbehaviour = () => false;

  beforeAll(async () => {
    const entry = new URL('continued-worker.ts', import.meta.url).pathname;
    const { outputFiles } = await build({ bundle: true, format: 'esm', write: false, entryPoints: [entry] });
    const files = new Map([
      ['page.html', Buffer.from('<!doctype html>')],
      ['worker.js', Buffer.from(outputFiles[0]?.contents ?? [])],
      ['shard', content],
    ]);
    server = await serveFiles(files, (request, response, bytes) => {
      const type = { '/page.html': 'text/html', '/worker.js': 'text/javascript' }[request.url ?? ''];
      if (type) return response.writeHead(200, { 'content-type': type }).end(bytes);
      return misbehave(request, response, bytes);
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

  const read = (on = page) =>
    on.evaluate(() => {
      const worker = new Worker('/worker.js', { type: 'module' });
      worker.onmessage = ({ data }) => {
        globalThis.seen = data;
      };
      worker.postMessage(new URL('/shard', location.href).href);
    });
  async function end(on = page): Promise<Seen> {
    await on.waitForFunction(() => globalThis.seen?.left !== undefined);
    return on.evaluate(() => globalThis.seen);
  }
  /** Sends so much and then nothing: the page waits. */
  const stall: Misbehaviour = (_, response) => {
    response.writeHead(200, { etag: ETAG, 'content-length': content.length });
    response.write(content.subarray(0, HALF));
  };
  const ranges = () => server.asked.filter(({ path }) => path === 'shard').map(({ range }) => range);

  test('comes whole at once, and leaves nothing', async () => {
    await read();
    expect(await end()).toEqual({ found: 0, read: content.length, sha256, warnings: [], left: [] });
  });

  test('is continued by a page that was reloaded in the middle', async () => {
    misbehave = stall;
    await read();
    await page.waitForFunction((half) => globalThis.seen?.read === half, HALF);
    await page.reload();
    misbehave = () => false;
    await read();
    expect(await end()).toEqual({ found: HALF, read: content.length, sha256, warnings: [], left: [] });
    expect(ranges().at(-1)).toBe(`bytes=${HALF}-`);
  });

  test('is kept in part when the server breaks off, and then only its end is asked for', async () => {
    misbehave = (_, response) => {
      response.writeHead(200, { etag: ETAG, 'content-length': content.length });
      response.write(content.subarray(0, HALF), () => setTimeout(() => response.destroy(), 50));
    };
    await read();
    expect(await end()).toMatchObject({ found: 0, left: ['shard'], failure: expect.stringContaining('shard') });
    await page.reload();
    misbehave = () => false;
    await read();
    const { found, sha256: checksum, left } = await end();
    expect(found).toBeGreaterThan(0);
    expect([checksum, left]).toEqual([sha256, []]);
  });

  test('that was there to its last byte is not asked for again', async () => {
    // Everything but the end of the answer.
    misbehave = (_, response) => {
      response.writeHead(200, { etag: ETAG });
      response.write(content);
    };
    await read();
    await page.waitForFunction((all) => globalThis.seen?.read === all, content.length);
    await page.reload();
    misbehave = () => false;
    await read();
    expect(await end()).toMatchObject({ found: content.length, read: content.length, sha256, left: [] });
  });

  test('is fetched whole by a second page while the first has it open', async () => {
    misbehave = stall;
    await read();
    await page.waitForFunction((half) => globalThis.seen?.read === half, HALF);
    misbehave = () => false;
    const second = await page.context().newPage();
    await second.goto(`${server.url}page.html`);
    await read(second);
    const seen = await end(second);
    expect(seen).toMatchObject({ found: 0, read: content.length, sha256, left: ['shard'] });
    expect(seen.warnings).toEqual([expect.stringMatching(/^What arrives of shard is not kept until it is whole: /)]);
  });
});
