/** WebGPU and ONNX Runtime's WASM in a real browser, on Chromium's software adapter: the answers are the oracle's. */
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type ServerType, serve } from '@hono/node-server';
import { serveStatic } from '@hono/node-server/serve-static';
import { build } from 'esbuild';
import { Hono } from 'hono';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchChromium } from '../../../bench/decode/browser/chromium.ts';
import { directorySource } from '../../../src/sources/directory.ts';
import { convertToDirectory, scalarModel } from '../../support/engines/models.ts';
import { readKv } from '../../support/engines/runtimes.ts';
import { type Conformance, runConformance } from '../conformance-script.ts';
import type {} from './chromium-page.ts';

const TOLERANCE = 2e-5;
let oracle: Conformance;
let bundles: string;
let server: ServerType;
let browser: Browser;
let page: Page;
const complaints: string[] = [];

beforeAll(async () => {
  const directory = await convertToDirectory('tiny-llama', 'int4');
  const model = await scalarModel(directorySource(directory));
  oracle = await runConformance(model, (cache) => readKv(model, cache));

  bundles = await mkdtemp(join(tmpdir(), 'seedling-onnx-page-'));
  await build({
    bundle: true,
    format: 'esm',
    logLevel: 'error',
    entryPoints: { page: new URL('chromium-page.ts', import.meta.url).pathname },
    outdir: bundles,
  });
  const app = new Hono();
  const files = (prefix: string, root: string) =>
    app.get(`${prefix}/*`, serveStatic({ root, rewriteRequestPath: (path) => path.slice(prefix.length) }));
  app.get('/', (c) =>
    c.html('<!doctype html><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>'),
  );
  files('/models/tiny', directory);
  files('/onnxruntime', dirname(new URL(import.meta.resolve('onnxruntime-web/wasm')).pathname));
  app.get('/*', serveStatic({ root: bundles }));
  server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 });
  await new Promise<void>((resolve) => server.once('listening', resolve));

  browser = await launchChromium({ softwareGpu: true });
  page = await browser.newPage();
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  await page.waitForFunction(() => globalThis.conformance !== undefined);
}, 120_000);

afterAll(async () => {
  await browser?.close();
  server?.close();
  if (bundles) await rm(bundles, { recursive: true, force: true });
});

test.each(['wasm', 'webgpu'] as const)('ONNX on %s in Chromium', { timeout: 240_000 }, async (provider) => {
  const result = await page.evaluate((name) => globalThis.conformance(name), provider);
  console.log(`Chromium: ${result.adapter}`);
  expect(Object.keys(result.answers)).toEqual(Object.keys(oracle.answers));
  for (const [name, expected] of Object.entries(oracle.answers)) {
    for (const [field, values] of Object.entries(expected)) {
      const got = result.answers[name]?.[field] ?? [];
      expect(got.length).toBe(values.length);
      if (field === 'ids') expect(got).toEqual(Array.from(values));
      else expectClose(got, values);
    }
  }
  expect(result.kv.length).toBe(oracle.kv.length);
  for (const [i, tensor] of oracle.kv.entries()) expectClose(result.kv[i] ?? [], tensor);
  expect(result.lostTokens).toBe(0);
  expect(complaints).toEqual([]);
});

function expectClose(got: readonly number[], expected: ArrayLike<number>): void {
  expect(got.length).toBe(expected.length);
  for (const [i, value] of got.entries()) {
    expect(Math.abs(value - (expected[i] ?? Number.NaN))).toBeLessThanOrEqual(TOLERANCE);
  }
}
