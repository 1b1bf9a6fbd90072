/** The playground over plain HTTP from another machine's address, where browsers leave out what needs HTTPS (C10). */
import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXECUTABLE, launchChromium } from '../../bench/decode/browser/chromium.ts';
import { Engine } from '../../src/engine/engine.ts';
import { loadTokenizer } from '../../src/engine/tokenizer/tokenizer.ts';
import { completeGreedily } from '../support/engines/engine.ts';
import { wasmModel } from '../support/engines/models.ts';
import { type PlaygroundHost, startPlayground, TINY } from '../support/hosts/playground-host.ts';
import { PlaygroundPage } from '../support/hosts/playground-page.ts';

const address = Object.values(networkInterfaces())
  .flatMap((list) => list ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
const missing = existsSync(EXECUTABLE) ? (address === undefined ? 'an address besides loopback' : null) : EXECUTABLE;
if (missing !== null) console.warn(`The playground is not tested over plain HTTP: ${missing} is missing.`);

describe.skipIf(missing !== null)('the playground over plain HTTP', { timeout: 120_000 }, () => {
  let host: PlaygroundHost;
  let browser: Browser;
  let playground: PlaygroundPage;

  beforeAll(async () => {
    host = await startPlayground({ address: address! });
    browser = await launchChromium();
    playground = await PlaygroundPage.open(await browser.newContext(), host.url);
  });
  afterAll(async () => {
    await browser?.close();
    await host?.stop();
  });

  test.each(['crypto.subtle', 'globalThis.caches', 'navigator.storage', 'navigator.serviceWorker', 'navigator.gpu'])(
    'has no %s',
    async (name) => {
      expect(await playground.page.evaluate(() => isSecureContext)).toBe(false);
      expect(await playground.page.evaluate(`typeof ${name}`)).toBe('undefined');
    },
  );

  test('runs a model in the page, whose files are checked all the same', async () => {
    await playground.choose('where', 'page');
    await playground.choose('mode', 'complete');
    await playground.page.getByLabel('Model').selectOption(TINY);
    await playground.slide('max-tokens', 16);
    await playground.write('let x');
    await playground.run();
    expect(await playground.ended()).toMatch(/^\d+ tokens in \d+ forwards/);
    const { tiny } = host;
    const model = await wasmModel(tiny, 'relaxed-simd', 512);
    const tokenizer = loadTokenizer(await tiny.json('tokenizer.json'), model.config.maskTokenId);
    const engine = new Engine(model, tokenizer, { concurrency: 1, waiting: 1, seconds: 1 });
    const { text } = await completeGreedily(engine, 'let x', {
      maxTokens: 16,
      ...{ blockLength: null, threshold: null, verify: null },
    });
    expect(await playground.text()).toBe(`let x${text}`);
  });

  test('left no error on the console but that of headers that need HTTPS', () => {
    expect(playground.errors.filter((error) => !/Cross-Origin-Opener-Policy/.test(error))).toEqual([]);
    expect(playground.strangers).toEqual([]);
  });
});
