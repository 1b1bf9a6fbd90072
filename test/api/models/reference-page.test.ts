/** The page under `/docs/` in Chromium: on a server with keys, a reader enters one, sends a request and sees the answer. */
import { existsSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { EXECUTABLE, launchChromium } from '../../../bench/decode/browser/chromium.ts';
import { createHost } from '../../../src/api/host.ts';
import { Drain } from '../../../src/api/middleware/drain.ts';
import { type NodeServer, startServer } from '../../../src/hosts/node/host/server.ts';
import { createNodeService } from '../../../src/hosts/node/host/service.ts';
import { readSettings } from '../../../src/hosts/settings.ts';
import { createFakeEngine } from '../../support/engines/fake-engine.ts';
import { API_KEYS, KEY } from '../../support/hosts/fake-service.ts';

const hasChromium = existsSync(EXECUTABLE);
if (!hasChromium) console.warn(`The API reference is not tested in a browser: ${EXECUTABLE} is missing.`);

describe.skipIf(!hasChromium)('the API reference', { timeout: 60_000 }, () => {
  let browser: Browser;
  let server: NodeServer;
  let origin: string;
  let page: Page;
  const strangers: string[] = [];
  const errors: string[] = [];

  beforeAll(async () => {
    vi.spyOn(console, 'log').mockImplementation(() => {});
    const settings = readSettings({ API_KEYS });
    const engine = createFakeEngine();
    const host = createHost({ modelName: 'fake', settings, load: async () => engine });
    const source = {
      json: () => Promise.reject(new Error('no files')),
      stream: () => Promise.reject(new Error('none')),
    };
    server = await startServer(createNodeService(host, settings, source, null, new Drain()), 0, '127.0.0.1');
    origin = `http://127.0.0.1:${server.address.port}`;
    browser = await launchChromium();
    page = await browser.newPage();
    page.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(`${origin}/`) && !url.startsWith('data:')) strangers.push(url);
    });
    page.on('pageerror', ({ message }) => errors.push(message));
    await page.goto(`${origin}/docs/`);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop(0);
    vi.restoreAllMocks();
  });

  const route = () => page.locator('.opblock', { has: page.locator('[data-path="/v1/completions"]') });
  /** The answer that the page shows: its status and its body. */
  async function send() {
    await route().getByRole('button', { name: 'Execute' }).click();
    const answer = route().locator('.live-responses-table tbody .response');
    await answer.waitFor();
    const status = Number(await answer.locator('.response-col_status').textContent());
    return { status, body: JSON.parse((await answer.locator('.highlight-code code').first().textContent())!) };
  }

  test('sends a request without a key, and shows the refusal', async () => {
    await route().locator('.opblock-summary-control').click();
    await route().getByRole('button', { name: 'Try it out' }).click();
    await route()
      .locator('textarea.body-param__text')
      .fill(JSON.stringify({ prompt: 'abc', max_tokens: 4 }));
    const { status, body } = await send();
    expect(status).toBe(401);
    expect(body.error.message).toMatch(/API key/);
    await route().getByRole('button', { name: 'Clear' }).click();
  });

  test.each(['bearer', 'apiKey'])(
    'sends the key that a reader enters under %s, and shows the answer',
    async (scheme) => {
      await page.locator('.scheme-container').getByRole('button', { name: 'Authorize' }).click();
      const form = page.locator('.auth-container form', { has: page.locator(`h4 code:text-is("${scheme}")`) });
      await form.locator('input').fill(KEY);
      await form.getByRole('button', { name: 'Apply credentials' }).click();
      await form.getByRole('button', { name: 'Remove authorization' }).waitFor();
      await form.locator('.btn-done').click();
      const { status, body } = await send();
      expect(status).toBe(200);
      expect(body).toMatchObject({ object: 'text_completion', usage: { completion_tokens: 4 } });
      await route().getByRole('button', { name: 'Clear' }).click();
      await page.locator('.scheme-container').getByRole('button', { name: 'Authorize' }).click();
      await form.getByRole('button', { name: 'Remove authorization' }).click();
      await form.locator('.btn-done').click();
    },
  );

  test('asked nobody else, and left no error', () => {
    expect(strangers).toEqual([]);
    expect(errors).toEqual([]);
  });
});
