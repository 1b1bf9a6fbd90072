/** The API on the real engine and sampler, over a model that is a table: that the two agree on how a request ends. */
import { setTimeout } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { createApp } from '../../src/api/app.ts';
import { createHost } from '../../src/api/host.ts';
import { Engine } from '../../src/engine/engine.ts';
import { ByteTokenizer, START } from '../support/byte-tokenizer.ts';
import { messages } from '../support/fake-app.ts';
import { FakeModel, type FakeModelOptions, says } from '../support/fake-model.ts';

afterEach(() => vi.restoreAllMocks());

const PROMPT = 'let x';

function setUp(options: FakeModelOptions = {}) {
  const model = new FakeModel({ poolTokens: 1024, ...options });
  const settings = { maxTokens: 1000, bodyLimitBytes: 4096 };
  const load = async () => new Engine(model, new ByteTokenizer());
  const app = createApp(createHost({ modelName: 'fake', settings, load }));
  const post = (body: object, signal?: AbortSignal) =>
    app.request('/v1/completions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ prompt: PROMPT, ...body }),
      ...(signal && { signal }),
    });
  return { model, post };
}

test('a stream adds up to the one body: text, reason, usage, cost', async () => {
  const { model, post } = setUp({ next: says(' = 1;\n// naïve 😀\nlet y = 2;', PROMPT.length) });
  // biome-ignore lint/suspicious/noExplicitAny: assertions say what it must be
  const whole: any = await (await post({ max_tokens: 100, stop: 'let y' })).json();
  const stream = await post({ max_tokens: 100, stop: 'let y', stream: true, stream_options: { include_usage: true } });
  const chunks = messages(await stream.text()).slice(0, -1);
  expect(whole.choices[0]).toMatchObject({ text: ' = 1;\n// naïve 😀\n', finish_reason: 'stop' });
  expect(chunks.map((chunk) => chunk.choices[0]?.text ?? '').join('')).toBe(whole.choices[0].text);
  expect(chunks.at(-2).choices[0].finish_reason).toBe('stop');
  expect(chunks.at(-1).usage).toEqual(whole.usage);
  const { nfe, position_forwards } = whole.seedling;
  expect(chunks.at(-2).seedling).toMatchObject({ nfe, position_forwards });
  expect(model.freeTokens).toBe(model.maxTokens);
});

test('a context that does not fit is refused by the engine before any work', async () => {
  const { model, post } = setUp();
  const response = await post({ max_tokens: 1000, prompt: 'x'.repeat(100) });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: { code: 'context_length_exceeded', param: 'prompt' } });
  expect(model.forwards).toHaveLength(0);
});

test('a pool that is taken is 503, and free again when the other request ends', async () => {
  const { model, post } = setUp({ onForward: () => setTimeout(1) });
  const holder = await post({ max_tokens: 900, stream: true });
  const refused = await post({ max_tokens: 900 });
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
  await holder.body?.cancel();
  await vi.waitFor(() => expect(model.freeTokens).toBe(model.maxTokens));
  expect((await post({ max_tokens: 20 })).status).toBe(200);
});

test('a reader that cancels stops the forwards', async () => {
  const { model, post } = setUp({ onForward: () => setTimeout(5) });
  const response = await post({ max_tokens: 900, stream: true });
  const reader = response.body!.getReader();
  await reader.read();
  await reader.cancel();
  const atCancel = model.forwards.length;
  await vi.waitFor(() => expect(model.freeTokens).toBe(model.maxTokens));
  expect(model.forwards.length - atCancel).toBeLessThanOrEqual(2);
});

test.each([true, false])(
  'a request that aborts before its first text stops the forwards (stream: %s)',
  async (stream) => {
    const { model, post } = setUp({ next: () => START, onForward: () => setTimeout(5) });
    const client = new AbortController();
    const answer = post({ max_tokens: 900, stream }, client.signal);
    await vi.waitFor(() => expect(model.forwards.length).toBeGreaterThan(3));
    const atAbort = model.forwards.length;
    client.abort();
    expect((await answer).status).toBe(499);
    expect(model.freeTokens).toBe(model.maxTokens);
    expect(model.forwards.length - atAbort).toBeLessThanOrEqual(2);
  },
);

test('a model that fails frees the cache, before and after the first byte', async () => {
  vi.spyOn(console, 'error').mockImplementation(() => {});
  let failAt = 0;
  const { model, post } = setUp({
    onForward: (index) => {
      if (index >= failAt) throw new Error('secret detail');
    },
  });
  expect((await post({ max_tokens: 100, stream: true })).status).toBe(500);
  expect(model.freeTokens).toBe(model.maxTokens);
  failAt = 20;
  const late = await (await post({ max_tokens: 400, stream: true })).text();
  expect(messages(late).at(-1)).toMatchObject({ error: { code: 'internal_error' } });
  expect(late).not.toContain('secret');
  expect(model.freeTokens).toBe(model.maxTokens);
});
