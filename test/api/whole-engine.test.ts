/** The API on the real engine and sampler, over a model that is a table: that the two agree on how a request ends. */
import { setTimeout } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createHost } from '../../src/api/host.ts';
import { Engine } from '../../src/engine/engine.ts';
import type { QueueLimits } from '../../src/engine/queue.ts';
import { ByteTokenizer, START } from '../support/engines/byte-tokenizer.ts';
import { FakeModel, type FakeModelOptions, says } from '../support/engines/fake-model.ts';
import { messages } from '../support/hosts/fake-app.ts';
import { openApp } from '../support/hosts/open-app.ts';

const LIMITS: QueueLimits = { concurrency: 16, waiting: 32, seconds: 30 };

afterEach(() => vi.restoreAllMocks());

const PROMPT = 'let x';

function setUp(options: FakeModelOptions = {}, limits: Partial<QueueLimits> = {}) {
  const model = new FakeModel({ poolTokens: 1024, ...options });
  const settings = { maxTokens: 1000, bodyLimitBytes: 4096, unknownFields: 'ignore' as const };
  const engine = new Engine(model, new ByteTokenizer(), { ...LIMITS, ...limits });
  const load = async () => engine;
  const app = openApp(createHost({ modelName: 'fake', settings, load }));
  const post = (body: object, signal?: AbortSignal) =>
    app.request('/v1/completions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ prompt: PROMPT, ...body }),
      ...(signal && { signal }),
    });
  return { model, engine, post };
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
  const response = await post({ max_tokens: 1000, prompt: 'x'.repeat(1024) });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: { code: 'context_length_exceeded', param: 'prompt' } });
  expect(model.forwards).toHaveLength(0);
});

describe('a pool that is taken', () => {
  const slow = { onForward: () => setTimeout(1) };

  test.each([true, false])('lets a request wait until the other ends (stream: %s)', async (stream) => {
    const { model, engine, post } = setUp(slow);
    const holder = await post({ max_tokens: 900, stream: true });
    const answer = post({ max_tokens: 900, stream });
    await vi.waitFor(() => expect(engine.queue.waiting).toBe(1));
    await holder.body?.cancel();
    const response = await answer;
    expect(response.status).toBe(200);
    await response.body?.cancel();
    await vi.waitFor(() => expect(model.freeTokens).toBe(model.maxTokens));
    expect([engine.queue.running, engine.queue.waiting]).toEqual([0, 0]);
  });

  test('is 429 past the bound, 503 past the deadline, each with a time to come back', async () => {
    const { engine, post } = setUp(slow, { waiting: 1, seconds: 0.3 });
    const holder = await post({ max_tokens: 900, stream: true });
    const late = post({ max_tokens: 900 });
    await vi.waitFor(() => expect(engine.queue.waiting).toBe(1));
    const full = await post({ max_tokens: 900, stream: true });
    for (const [response, status, code] of [
      [full, 429, 'rate_limit_exceeded'],
      [await late, 503, 'overloaded'],
    ] as const) {
      expect(response.status).toBe(status);
      expect(Number(response.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      expect(await response.json()).toMatchObject({ error: { code, param: null } });
    }
    // What can never fit does not wait, even now.
    expect((await post({ max_tokens: 1000, prompt: 'x'.repeat(1024) })).status).toBe(400);
    await holder.body?.cancel();
    await vi.waitFor(() => expect(engine.queue.running).toBe(0));
    expect((await post({ max_tokens: 20 })).status).toBe(200);
  });

  test.each([true, false])('is not waited for by a client that has gone (stream: %s)', async (stream) => {
    const { model, engine, post } = setUp(slow);
    const holder = await post({ max_tokens: 900, stream: true });
    const client = new AbortController();
    const answer = post({ max_tokens: 900, stream }, client.signal);
    await vi.waitFor(() => expect(engine.queue.waiting).toBe(1));
    client.abort();
    expect((await answer).status).toBe(499);
    expect(engine.queue.waiting).toBe(0);
    await holder.body?.cancel();
    await vi.waitFor(() => expect(engine.queue.running).toBe(0));
    expect([model.caches.length, model.freeTokens]).toEqual([1, model.maxTokens]);
  });

  test('bounds how many run', async () => {
    const { engine, post } = setUp(slow, { concurrency: 1 });
    const answers = [1, 2, 3].map(() => post({ max_tokens: 200 }));
    await vi.waitFor(() => expect([engine.queue.running, engine.queue.waiting]).toEqual([1, 2]));
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200]);
  });
});

test('the prompt of an earlier request is not run again, and usage says so', async () => {
  const { post } = setUp({ reuse: true });
  const prompt = 'x'.repeat(50);
  const cached = async (body: object) => {
    // biome-ignore lint/suspicious/noExplicitAny: assertions say what it must be
    const json: any = await (await post({ prompt, ...body })).json();
    return json.usage.prompt_tokens_details;
  };
  expect(await cached({})).toEqual({ cached_tokens: 0 });
  expect(await cached({})).toEqual({ cached_tokens: 48 });
  const stream = await post({ prompt, stream: true, stream_options: { include_usage: true } });
  expect(messages(await stream.text()).at(-2).usage).toMatchObject({
    prompt_tokens: 50,
    prompt_tokens_details: { cached_tokens: 48 },
  });
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

describe('diffusing', () => {
  const ask = { max_tokens: 24, stream: true, diffusing: true, seed: 1 };
  /** The text that the steps leave, and how many were taken back. */
  // biome-ignore lint/suspicious/noExplicitAny: assertions say what it must be
  function replay(chunks: any[]) {
    const shown: string[] = [];
    let takenBack = 0;
    for (const { diffusing } of chunks) {
      for (const { position, text, revised } of diffusing?.tokens ?? []) {
        expect(revised).toBe(shown[position] !== undefined);
        shown[position] = text;
        takenBack += Number(revised);
      }
      for (const position of diffusing?.remasked ?? []) {
        expect(shown[position]).toBeDefined();
        delete shown[position];
        takenBack += 1;
      }
    }
    return { text: shown.join(''), takenBack };
  }

  test.each([
    [{ block_length: 1 }, false],
    [{ block_length: 8 }, true],
    [{ block_length: 8, verify: false }, false],
    [{ block_length: 8, remasking: { sigma: 0.4 }, policy: 'fixed', steps: 8 }, true],
  ])('the steps of %j add up to the text', async (decoding, takesBack) => {
    const draft = (position: number, id: number) => (position % 4 === 0 ? 65 : id);
    const { post } = setUp({ confidence: () => 0.95, ...('verify' in decoding ? {} : { draft }) });
    const chunks = messages(await (await post({ ...ask, decoding })).text()).slice(0, -1);
    const text = chunks.map((chunk) => chunk.choices[0]?.text ?? '').join('');
    const replayed = replay(chunks);
    expect(replayed.text).toBe(text);
    expect(replayed.takenBack > 0).toBe(takesBack);
    expect(chunks.filter((chunk) => chunk.diffusing).every((chunk) => chunk.choices[0].text === '')).toBe(true);
    const again = messages(await (await post({ ...ask, decoding })).text()).slice(0, -1);
    expect(again.map((chunk) => chunk.diffusing)).toEqual(chunks.map((chunk) => chunk.diffusing));
  });

  test('is off unless asked for, and only for streams', async () => {
    const { post } = setUp();
    const chunks = messages(await (await post({ max_tokens: 8, stream: true })).text()).slice(0, -1);
    expect(chunks.some((chunk) => 'diffusing' in chunk)).toBe(false);
    const refused = await post({ max_tokens: 8, diffusing: true });
    expect([refused.status, (await refused.json()).error.param]).toEqual([400, 'diffusing']);
  });
});

describe('an approximate cache', () => {
  const decoding = { approximate_cache: {} };

  test.each(['causal', 'block_causal'] as const)('is refused where %s context has an exact one', async (context) => {
    const { model, post } = setUp({ config: { contextAttention: context } });
    for (const stream of [false, true]) {
      const response = await post({ stream, decoding });
      expect(response.status).toBe(400);
      expect((await response.json()).error).toMatchObject({
        type: 'invalid_request_error',
        code: 'unsupported_parameter',
        param: 'decoding.approximate_cache',
        message: `'decoding.approximate_cache' is not supported here: the KV cache of fake is exact, as its context is ${context}.`,
      });
    }
    expect(model.forwards).toEqual([]);
    expect(model.freeTokens).toBe(model.maxTokens);
  });

  test('runs fewer positions under full context, for the same text of a model that looks back only', async () => {
    const { post } = setUp({ config: { contextAttention: 'full' } });
    // biome-ignore lint/suspicious/noExplicitAny: assertions say what it must be
    const ask = async (more: object): Promise<any> => (await post({ max_tokens: 24, decoding: more })).json();
    const [exact, stale] = [await ask({}), await ask(decoding)];
    expect(stale.choices).toEqual(exact.choices);
    expect(stale.seedling.nfe).toBe(exact.seedling.nfe);
    expect(stale.seedling.position_forwards).toBeLessThan(exact.seedling.position_forwards);
  });
});

describe('a suffix', () => {
  const infill = { prefix: 256 + 3, suffix: 256 + 4, middle: 256 + 5, end: 256 + 6, order: 'prefix_first' } as const;
  const config = { vocabSize: 256 + 8, infill };
  /** Ids of prefix, markers and suffix before the hole. */
  const promptTokens = PROMPT.length + 3 + ';'.length;

  test('frames a hole: the content up to its marker', async () => {
    const bytes = new TextEncoder().encode(' = 1');
    const next = (prefix: readonly number[]) => bytes[prefix.length - promptTokens] ?? infill.end;
    const { model, post } = setUp({ config, next });
    // biome-ignore lint/suspicious/noExplicitAny: assertions say what it must be
    const body: any = await (await post({ suffix: ';', max_tokens: 50 })).json();
    expect(body.choices[0]).toMatchObject({ text: ' = 1', finish_reason: 'stop' });
    expect(body.usage).toMatchObject({ prompt_tokens: promptTokens, completion_tokens: 4 });
    const [first] = model.forwards;
    expect(first?.ids).toEqual([
      infill.prefix,
      ...new TextEncoder().encode(PROMPT),
      infill.suffix,
      ';'.charCodeAt(0),
      infill.middle,
    ]);
  });

  test('stands first for a model that was trained so', async () => {
    const order = 'suffix_first' as const;
    const { model, post } = setUp({ config: { ...config, infill: { ...infill, order } }, next: () => infill.end });
    expect((await post({ suffix: ';', max_tokens: 50 })).status).toBe(200);
    const ids = [infill.suffix, ';'.charCodeAt(0), infill.prefix, ...new TextEncoder().encode(PROMPT), infill.middle];
    expect(model.forwards[0]?.ids).toEqual(ids);
  });

  test('is not written twice', async () => {
    const suffix = ');\n  return total;\n}';
    const { post } = setUp({ config, next: says(`a + b${suffix}`, PROMPT.length + 3 + suffix.length) });
    // biome-ignore lint/suspicious/noExplicitAny: assertions say what it must be
    const body: any = await (await post({ suffix, max_tokens: 50 })).json();
    expect(body.choices[0]).toMatchObject({ text: 'a + b', finish_reason: 'stop' });
  });

  test('is refused for a model that was not trained to fill holes', async () => {
    const { model, post } = setUp();
    const response = await post({ suffix: ';' });
    expect(response.status).toBe(400);
    expect((await response.json()).error).toMatchObject({ code: 'unsupported_parameter', param: 'suffix' });
    expect(model.forwards).toEqual([]);
    expect(model.freeTokens).toBe(model.maxTokens);
  });
});
