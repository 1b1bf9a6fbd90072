/** A model in the page on one thread and on two, in Chromium: the same text; and a page that is not isolated says so. */
import { existsSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXECUTABLE, launchChromium } from '../../bench/decode/browser/chromium.ts';
import { type PlaygroundHost, startPlayground, TINY } from '../support/hosts/playground-host.ts';
import { PlaygroundPage } from '../support/hosts/playground-page.ts';

const PROMPT = 'function isPrime(n) {\n';

const hasChromium = existsSync(EXECUTABLE);
if (!hasChromium) console.warn(`Threads of the page are not tested in a browser: ${EXECUTABLE} is missing.`);

describe.skipIf(!hasChromium)('threads in the page', { timeout: 120_000 }, () => {
  let browser: Browser;
  const hosts: PlaygroundHost[] = [];
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    for (const host of hosts) await host.stop();
  });

  async function open(
    isolated: boolean,
  ): Promise<{ readonly host: PlaygroundHost; readonly playground: PlaygroundPage }> {
    const host = await startPlayground({ isolated });
    hosts.push(host);
    const playground = await PlaygroundPage.open(await browser.newContext(), host.url);
    await playground.choose('where', 'page');
    await playground.page.locator(`#model option[value="${TINY}"]`).waitFor({ state: 'attached' });
    await playground.page.getByLabel('Model').selectOption(TINY);
    await playground.slide('max-tokens', 32);
    return { host, playground };
  }

  async function complete(playground: PlaygroundPage): Promise<{ readonly text: string; readonly state: string }> {
    await playground.write(PROMPT);
    await playground.run();
    expect(await playground.ended()).toMatch(/tokens in \d+ forwards/);
    const state = (await playground.page.locator('#load-state').textContent()) ?? '';
    return { text: await playground.text(), state };
  }

  test('two say what one says', async () => {
    const { host, playground } = await open(true);
    const { page } = playground;
    const started = () => host.asked.filter((path) => path === '/playground/thread.js').length;
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
    await page.getByLabel('Threads').selectOption('1');
    const one = await complete(playground);
    expect(one.state).toMatch(/, 1 thread, /);
    // The service worker has fetched it too, to keep it.
    const before = started();
    await page.getByLabel('Threads').selectOption('2');
    const two = await complete(playground);
    expect(two.state).toMatch(/, 2 threads, /);
    expect(started()).toBe(before + 1);
    expect(two.text).toBe(one.text);
    expect(one.text.length).toBeGreaterThan(PROMPT.length + 8);
    await page.getByLabel('Threads').selectOption('1');
    expect(await complete(playground)).toEqual(one);
    expect(playground.errors).toEqual([]);
  });

  test('without the headers there is one, and the page says why', async () => {
    const { playground } = await open(false);
    const { page } = playground;
    expect(await page.getByLabel('Threads').isDisabled()).toBe(true);
    await page.getByText('its workers cannot share memory').waitFor();
    expect((await complete(playground)).state).toMatch(/, 1 thread, /);
    expect(playground.errors).toEqual([]);
  });
});
