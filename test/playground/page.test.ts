/** The playground in Chromium: on a server with a model that needs no weights, then in the page with the real ones. */
import { existsSync } from 'node:fs';
import axe from 'axe-core';
import type { Browser, BrowserContext } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXECUTABLE, launchChromium } from '../../bench/decode/browser/chromium.ts';
import { DEFAULTS, policyDefaults } from '../../src/engine/defaults.ts';
import { Engine } from '../../src/engine/engine.ts';
import { loadTokenizer } from '../../src/engine/tokenizer/tokenizer.ts';
import { speedUp } from '../../src/playground/page/race/standing.ts';
import { completeGreedily, openEngine } from '../support/engines/engine.ts';
import { scalarModel } from '../support/engines/models.ts';
import {
  BODY,
  ENDLESS,
  FILLING,
  FORWARD_MS,
  type PlaygroundHost,
  REFUSED_KEY,
  startPlayground,
  TINY,
} from '../support/hosts/playground-host.ts';
import { PlaygroundPage } from '../support/hosts/playground-page.ts';

const PROMPT = 'function isPrime(n) {\n';
const MODEL = 'seedling-135m';

const hasChromium = existsSync(EXECUTABLE);
if (!hasChromium) console.warn(`The playground is not tested in a browser: ${EXECUTABLE} is missing.`);

describe.skipIf(!hasChromium)('the playground', { timeout: 120_000 }, () => {
  let host: PlaygroundHost;
  let browser: Browser;
  let context: BrowserContext;
  let playground: PlaygroundPage;

  beforeAll(async () => {
    host = await startPlayground();
    browser = await launchChromium({ softwareGpu: true });
    context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
    playground = await PlaygroundPage.open(context, host.url);
  });
  afterAll(async () => {
    await browser?.close();
    await host?.stop();
  });

  test('starts at the defaults of the API', async () => {
    const value = (id: string) => playground.page.locator(`#${id}`).inputValue();
    expect(await playground.page.locator('input[name="decoding"]:checked').inputValue()).toBe('auto');
    expect(await value('policy')).toBe(DEFAULTS.policy);
    expect(await value('parameter')).toBe(String(policyDefaults(DEFAULTS.policy, true).threshold));
    expect(await value('temperature')).toBe(String(DEFAULTS.temperature));
    expect(await value('max-tokens')).toBe(String(DEFAULTS.maxTokens.fim));
  });

  test('completes on the server: masks, drafts and revisions, then text that one undo takes out', async () => {
    await playground.choose('decoding', 'own');
    await playground.write(PROMPT);
    await playground.watch();
    await playground.run();
    expect(await playground.ended()).toMatch(/^84 tokens in \d+ forwards, then the model stopped\./);
    expect(await playground.text()).toBe(PROMPT + BODY);
    const drawings = await playground.drawings();
    for (const kind of ['masks', 'drafts', 'revised'] as const) {
      expect(Math.max(...drawings.map((drawing) => drawing[kind]))).toBeGreaterThan(0);
    }
    const settled = drawings.map((drawing) => drawing.settled);
    expect(settled).toEqual(settled.toSorted((a, b) => a - b));
    expect(new Set(settled).size).toBeGreaterThan(3);
    await playground.editor.press('Control+z');
    expect(await playground.text()).toBe(PROMPT);
  });

  test('shows what the run cost, and when each position was decided', async () => {
    expect(Number(await playground.reading('Tokens'))).toBe(BODY.length);
    const forwards = Number(await playground.reading('Forwards'));
    expect(forwards).toBeLessThan(BODY.length);
    expect(await playground.reading('Tokens per forward')).toBe((BODY.length / forwards).toFixed(2));
    expect(await playground.reading('First token')).toMatch(/^\d+ ms$/);
    expect(Number(await playground.reading('Tokens per second'))).toBeGreaterThan(0);
    expect(Number(await playground.reading('Revised'))).toBeGreaterThan(0);
    expect(await playground.reading('Masks, held')).toMatch(/^\d+ of \d+$/);
    expect(await playground.page.locator('#timeline .decided').count()).toBeGreaterThan(BODY.length / 2);
    expect(await playground.page.locator('#timeline').getAttribute('aria-label')).toMatch(
      /\d+ steps with \d+ decisions/,
    );
  });

  test('blocks without verification have borders', async () => {
    await playground.page.getByLabel('Verify drafts').uncheck();
    await playground.watch();
    await playground.run();
    await playground.ended();
    const borders = (await playground.drawings()).map((drawing) => drawing.borders);
    expect(Math.max(...borders)).toBeGreaterThan(5);
    expect(await playground.reading('Drafts held')).toBe('none made');
    await playground.page.getByLabel('Verify drafts').check();
    await playground.choose('decoding', 'auto');
  });

  test('asks for the default without naming it', async () => {
    const asked = playground.page.waitForRequest('**/v1/completions');
    await playground.write(PROMPT);
    await playground.run();
    expect((await asked).postDataJSON()).not.toHaveProperty('decoding');
    expect(await playground.ended()).toMatch(/^84 tokens in \d+ forwards/);
    expect(Number(await playground.reading('Tokens per forward'))).toBeGreaterThan(1.5);
    expect(await playground.text()).toBe(PROMPT + BODY);
  });

  describe('a race', () => {
    const start = () => playground.page.getByRole('button', { name: 'Race' });
    const again = () => playground.page.getByRole('button', { name: 'Play both again' });
    const standing = () => playground.page.locator('#race-standing').textContent();
    const posted: { readonly decoding: unknown; readonly at: number }[] = [];

    beforeAll(() => {
      playground.page.on('request', (request) => {
        if (request.method() === 'POST') posted.push({ decoding: request.postDataJSON().decoding, at: Date.now() });
      });
    });

    test('runs one token at a time and the default, each alone, and says how fast each was', async () => {
      await playground.slide('max-tokens', 24);
      await playground.write(PROMPT);
      await start().press('Enter');
      const verdict = await playground.ended();
      const [, words, forwards, fast, slow] =
        /^The default is (.+): 24 tokens in (\d+) forwards and (\S+) s, against 24 tokens in 23 forwards and (\S+) s\. The texts are equal\.$/.exec(
          verdict,
        )!;
      expect(Number(forwards)).toBeLessThan(20);
      // A busy machine may leave little of the gain, and the words have to follow the clock.
      const ratio = Number(slow) / Number(fast);
      expect([ratio - 0.02, ratio, ratio + 0.02].map(speedUp)).toContain(words);
      expect(posted.map(({ decoding }) => decoding)).toEqual([{ block_length: 1 }, { block_length: 1 }, undefined]);
      // The default is asked for when the other is done.
      expect(posted[2]!.at - posted[1]!.at).toBeGreaterThan(23 * FORWARD_MS * 0.9);
      expect(await playground.lanes()).toEqual([BODY.slice(0, 24), BODY.slice(0, 24)]);
      expect(await playground.text()).toBe(PROMPT);
      expect(await start().evaluate((button) => button === document.activeElement)).toBe(true);
    });

    test('plays both again on one clock: the faster is done first', async () => {
      const verdict = await standing();
      await again().click();
      const half = () => {
        const [one, auto] = Array.from(document.querySelectorAll('#race .lane'), (lane) => lane.textContent!.length);
        return one! > 0 && one! < 24 && auto === 24;
      };
      await playground.page.waitForFunction(half);
      expect(await standing()).toMatch(/^The default so far: .+\.$/);
      await playground.editor.press('Escape');
      expect(await playground.ended()).toBe(verdict);
      expect(await playground.lanes()).toEqual([BODY.slice(0, 24), BODY.slice(0, 24)]);
      expect(posted).toHaveLength(3);
    });

    test('fits a narrow phone, with one column under the other', async () => {
      await playground.page.setViewportSize({ width: 320, height: 740 });
      const lefts = await playground.page
        .locator('#race .lane')
        .evaluateAll((lanes) => lanes.map((lane) => lane.getBoundingClientRect().left));
      expect(new Set(lefts).size).toBe(1);
      expect(await playground.page.evaluate(() => document.documentElement.scrollWidth)).toBe(320);
      await playground.page.setViewportSize({ width: 1280, height: 860 });
    });

    test('that is cancelled starts no second run, and has no result', async () => {
      posted.length = 0;
      await playground.slide('max-tokens', 384);
      await playground.write(ENDLESS);
      await start().click();
      await playground.page.waitForFunction(() => document.querySelectorAll('#race .settled').length > 3);
      const { page } = playground;
      const stopped = Promise.race([page.waitForEvent('requestfailed'), page.waitForEvent('requestfinished')]);
      await playground.editor.press('Escape');
      await stopped;
      expect(await playground.ended()).toBe('Cancelled. Without both runs there is nothing to compare.');
      expect(await standing()).toBe('');
      expect(await again().getAttribute('aria-disabled')).toBe('true');
      expect(posted).toHaveLength(2);
    });
  });

  test('Escape cancels, and what was final stays', async () => {
    await playground.slide('max-tokens', 384);
    await playground.write(ENDLESS);
    await playground.run();
    await playground.growing('settled', 8);
    await playground.editor.press('Escape');
    expect(await playground.ended()).toBe('Cancelled. What was final by then is in the text.');
    expect((await playground.text()).length).toBeGreaterThanOrEqual(ENDLESS.length + 8);
  });

  test('fills the hole at the cursor', async () => {
    await playground.choose('mode', 'infill');
    await playground.write('const sum = ;\nexport { sum };');
    await playground.editor.press('ArrowUp');
    await playground.editor.press('End');
    await playground.editor.press('ArrowLeft');
    await playground.run();
    await playground.ended();
    expect(await playground.text()).toBe(`const sum = ${FILLING};\nexport { sum };`);
  });

  test('repairs the selection, and only that', async () => {
    await playground.choose('mode', 'repair');
    await playground.write('a - b\nc - d');
    await playground.editor.press('Shift+Home');
    await playground.run();
    expect(await playground.ended()).toBe('One change made. Undo takes all of it back.');
    expect(await playground.text()).toBe('a - b\nc + d');
    expect(await playground.page.locator('.mark.written').textContent()).toBe('+');
  });

  test('copies the request as curl', async () => {
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await playground.page.getByRole('button', { name: 'Copy as curl' }).click();
    await playground.page.getByText('is in the clipboard').waitFor();
    const command = await playground.page.evaluate(() => navigator.clipboard.readText());
    expect(command).toContain(`curl -N '${host.url.origin}/v1/edit/completions'`);
  });

  test.each(['light', 'dark'] as const)('has no serious accessibility violation in %s', async (colorScheme) => {
    await playground.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await playground.page.evaluate(axe.source);
    for (const [mode, where] of [
      ['complete', 'server'],
      ['repair', 'page'],
    ] as const) {
      await playground.choose('mode', mode);
      await playground.choose('where', where);
      const { violations } = await playground.page.evaluate(() =>
        (globalThis as unknown as { axe: typeof axe }).axe.run(),
      );
      const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
      expect(serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(', ')}`)).toEqual([]);
    }
  });

  test('fits a phone, in one column', async () => {
    await playground.page.setViewportSize({ width: 375, height: 740 });
    const [width, settings, editor] = await playground.page.evaluate(() => [
      document.documentElement.scrollWidth,
      document.querySelector('#settings')?.getBoundingClientRect().left,
      document.querySelector('#editor')?.getBoundingClientRect().left,
    ]);
    expect(width).toBe(375);
    expect(settings).toBe(editor);
    await playground.page.setViewportSize({ width: 1280, height: 860 });
  });

  test('says a refused key in a sentence, and goes to its field', async () => {
    // Of its own, so that what it chooses is not remembered by the page of the other tests.
    const another = await browser.newContext();
    const other = await PlaygroundPage.open(another, host.url);
    await other.page.getByLabel('API key').fill(REFUSED_KEY);
    await other.run();
    expect(await other.ended()).toBe('Incorrect API key provided. Enter a key under Server.');
    expect(await other.page.getByLabel('API key').evaluate((field) => field === document.activeElement)).toBe(true);
    expect(await other.page.evaluate(() => JSON.stringify(localStorage))).not.toContain(REFUSED_KEY);
    await another.close();
  });

  describe('in the page', () => {
    const weights = (model: string) => host.asked.filter((path) => path.startsWith(`/models/${model}/weights-`));
    const plain = { blockLength: null, threshold: null, verify: null };

    test('says the same as the engine on Node, on weights that are fetched once', async () => {
      const { text } = await completeGreedily(await openEngine(MODEL), PROMPT, { maxTokens: 16, ...plain });
      await playground.choose('where', 'page');
      await playground.choose('mode', 'complete');
      await playground.slide('max-tokens', 16);
      await playground.write(PROMPT);
      await playground.run();
      await playground.ended();
      expect(await playground.page.locator('#load-state').textContent()).toMatch(/^seedling-135m on WebAssembly/);
      expect(await playground.text()).toBe(PROMPT + text);
      expect(weights(MODEL)).toEqual(['000', '001', '002'].map((shard) => `/models/${MODEL}/weights-${shard}.bin`));
    });

    test('races there too, and the texts are equal', async () => {
      await playground.write(PROMPT);
      await playground.page.getByRole('button', { name: 'Race' }).click();
      expect(await playground.ended()).toMatch(
        /^The default is .* 16 tokens in .* against 16 tokens in 15 forwards .* equal\.$/,
      );
      const [one, auto] = await playground.lanes();
      expect(one!.length).toBeGreaterThan(8);
      expect(auto).toBe(one);
    });

    test('cancels and repairs there too', async () => {
      await playground.slide('max-tokens', 384);
      await playground.run();
      await playground.growing('settled', 2);
      await playground.page.getByRole('button', { name: /Cancel/ }).click();
      expect(await playground.ended()).toMatch(/^Cancelled/);
      await playground.choose('mode', 'repair');
      await playground.write('for (let i = 0; i < n; i++) {\n  total += i;\n}\n');
      await playground.run();
      expect(await playground.ended()).toMatch(/change/);
      expect(Number(await playground.reading('Forwards'))).toBeGreaterThan(0);
    });

    test('completes on WebGPU, and no other runtime fetches the weights again', { timeout: 300_000 }, async () => {
      const tokenizer = loadTokenizer(await host.tiny.json('tokenizer.json'), 0);
      const oracle = new Engine(await scalarModel(host.tiny), tokenizer, { concurrency: 1, waiting: 0, seconds: 1 });
      const { text, tokens } = await completeGreedily(oracle, PROMPT, { maxTokens: 8, ...plain });
      expect(tokens).toBeGreaterThan(2);
      await playground.choose('mode', 'complete');
      await playground.slide('max-tokens', 8);
      await playground.page.getByLabel('Model').selectOption(TINY);
      await playground.page.getByLabel('Runtime').selectOption('webgpu');
      await playground.write(PROMPT);
      await playground.run();
      await playground.ended(280_000);
      expect(await playground.text()).toBe(PROMPT + text);
      expect(await playground.page.locator('#load-state').textContent()).toMatch(
        /^tiny-llama on WebGPU, .*swiftshader/,
      );
      await playground.page.getByLabel('Runtime').selectOption('wasm');
      await playground.run();
      await playground.ended();
      expect(await playground.page.locator('#load-state').textContent()).toMatch(/^tiny-llama on WebAssembly/);
      expect(weights(TINY)).toHaveLength(1);
      await playground.page.getByLabel('Model').selectOption(MODEL);
    });

    test('reloads and completes while the server is gone', async () => {
      await host.stop();
      await playground.page.reload();
      await playground.editor.waitFor();
      await playground.choose('mode', 'complete');
      await playground.slide('max-tokens', 8);
      await playground.write(PROMPT);
      await playground.run();
      expect(await playground.ended()).toMatch(/^8 tokens in/);
      expect(weights(MODEL)).toHaveLength(3);
    });
  });

  test('asked nobody else, and left no error on the console', () => {
    expect(playground.strangers).toEqual([]);
    expect(playground.errors).toEqual([]);
  });
});
