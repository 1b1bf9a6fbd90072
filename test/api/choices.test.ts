/** Several completions of one request: their order, their ranking, what they hold while they run. */
import { setTimeout } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { createHost } from '../../src/api/host.ts';
import { Engine } from '../../src/engine/engine.ts';
import { ByteTokenizer } from '../support/engines/byte-tokenizer.ts';
import { FAIL_LATE, FAKE_CODER } from '../support/engines/fake-engine.ts';
import { FakeModel, type FakeModelOptions } from '../support/engines/fake-model.ts';
import { fakeApp, messages } from '../support/hosts/fake-app.ts';
import { openApp } from '../support/hosts/open-app.ts';

describe('several choices', () => {
  test('come prompt by prompt, each with its own seed', async () => {
    const { post, engine } = fakeApp();
    const { json } = await post({ prompt: ['a', 'bc'], n: 2, seed: 7, max_tokens: 3 });
    expect(json.choices.map(({ index }: { index: number }) => index)).toEqual([0, 1, 2, 3]);
    expect(engine.requests.map(({ prompt, seed }) => [prompt, seed])).toEqual([
      ['a', 7],
      ['a', 8],
      ['bc', 7],
      ['bc', 8],
    ]);
    // A prompt counts once, however many choices it has.
    expect(json.usage).toMatchObject({ prompt_tokens: 3, completion_tokens: 12, total_tokens: 15 });
    expect(json.seedling).toMatchObject({ nfe: 16, seed: 7 });
    expect(engine.model.freeTokens).toBe(engine.model.maxTokens);
  });

  test.each([
    [
      [[5, 6], [7]],
      [Int32Array.of(5, 6), Int32Array.of(7)],
    ],
    [[5, 6], [Int32Array.of(5, 6)]],
    [[], [Int32Array.of()]],
    [['a'], ['a']],
    [[[]], [Int32Array.of()]],
  ])('prompt %j', async (prompt, expected) => {
    const { post, engine } = fakeApp();
    expect((await post({ prompt })).status).toBe(200);
    expect(engine.requests.map((request) => request.prompt)).toEqual(expected);
  });

  test('stream one after another: an index each, one finish reason each, one usage', async () => {
    const { post } = fakeApp();
    const body = { prompt: ['a', 'b'], n: 2, max_tokens: 6, stream: true, stream_options: { include_usage: true } };
    const all = messages((await post(body)).text);
    expect(all.at(-1)).toBe('[DONE]');
    const usage = all.at(-2);
    expect(usage).toMatchObject({ choices: [], usage: { prompt_tokens: 2, completion_tokens: 24 } });
    const chunks = all.slice(0, -2).map((chunk) => chunk.choices[0]);
    for (const index of [0, 1, 2, 3]) {
      const own = chunks.filter((choice) => choice.index === index);
      expect(own.map(({ text }) => text).join('')).toBe(' 0 1 2 3 4 5');
      expect(own.map(({ finish_reason }) => finish_reason).filter(Boolean)).toEqual(['length']);
      expect(own.at(-1).finish_reason).toBe('length');
    }
    expect(chunks.map(({ index }) => index)).toEqual(chunks.map(({ index }) => index).sort());
  });

  test('best_of ranks by mean log-probability and counts all that were made', async () => {
    const { post, engine } = fakeApp();
    // The fake's tokens are the more probable the higher the seed, modulo 8.
    const { json } = await post({ prompt: 'a', n: 2, best_of: 4, seed: 5, max_tokens: 2, logprobs: 0 });
    expect(engine.requests.map(({ seed }) => seed)).toEqual([5, 6, 7, 8]);
    // biome-ignore lint/suspicious/noExplicitAny: assertions say what it must be
    const first = json.choices.map((choice: any) => choice.logprobs.token_logprobs[0]);
    expect(first.map((value: number) => Math.exp(value).toFixed(2))).toEqual(['0.80', '0.70']);
    expect(json.choices.map(({ index }: { index: number }) => index)).toEqual([0, 1]);
    expect(json.usage.completion_tokens).toBe(8);
  });

  test('a failure in the second one is one message in the stream, and frees all', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => {});
    const { post, engine } = fakeApp();
    const all = messages((await post({ prompt: ['a', FAIL_LATE], max_tokens: 4, stream: true })).text);
    expect(all.at(-1)).toMatchObject({ error: { code: 'internal_error' } });
    expect(engine.model.freeTokens).toBe(engine.model.maxTokens);
    vi.restoreAllMocks();
  });
});

describe('echo and logprobs', () => {
  test('echo puts the prompt before the text, in a stream too', async () => {
    const { post } = fakeApp();
    const whole = await post({ prompt: ['ab', 'c'], echo: true, max_tokens: 2 });
    expect(whole.json.choices.map(({ text }: { text: string }) => text)).toEqual(['ab 0 1', 'c 0 1']);
    const chunks = messages((await post({ prompt: 'ab', echo: true, max_tokens: 2, stream: true })).text).slice(0, -1);
    expect(chunks.map((chunk) => chunk.choices[0].text)).toEqual(['ab', ' 0 1', '']);
    const ids = await post({ prompt: [104, 105], echo: true, max_tokens: 1 });
    expect(ids.json.choices[0].text).toBe('hi 0');
  });

  test('logprobs: parallel lists with offsets in the text', async () => {
    const { post, engine } = fakeApp();
    const { json } = await post({ prompt: 'a', logprobs: 1, max_tokens: 5, seed: 0 });
    const value = Math.log(0.1);
    expect(json.choices[0].logprobs).toEqual({
      tokens: [' 0', ' 1', ' 2', ' 3', ' 4'],
      token_logprobs: Array(5).fill(value),
      top_logprobs: [' 0', ' 1', ' 2', ' 3', ' 4'].map((token) => ({ [token]: value })),
      text_offset: [0, 2, 4, 6, 8],
    });
    expect(engine.requests[0]?.logprobs).toEqual({ alternatives: 1, prompt: false });
    const bare = await post({ prompt: 'a', logprobs: 0, max_tokens: 1 });
    expect(bare.json.choices[0].logprobs.top_logprobs).toBeNull();
  });

  test.each([true, false])('with echo the prompt has them too, its first token none (stream: %s)', async (stream) => {
    const { post } = fakeApp();
    const answer = await post({ prompt: 'ab', echo: true, logprobs: 0, max_tokens: 2, seed: 0, stream });
    const choices = stream
      ? messages(answer.text)
          .slice(0, -1)
          .map((chunk) => chunk.choices[0])
      : answer.json.choices;
    expect(choices.map(({ text }: { text: string }) => text).join('')).toBe('ab 0 1');
    // biome-ignore lint/suspicious/noExplicitAny: assertions say what it must be
    const joined = (field: string) => choices.flatMap((choice: any) => choice.logprobs?.[field] ?? []);
    expect(joined('tokens')).toEqual(['ab', ' 0', ' 1']);
    expect(joined('token_logprobs')).toEqual([null, Math.log(0.1), Math.log(0.1)]);
    expect(joined('text_offset')).toEqual([0, 2, 4]);
  });

  test('max_tokens 0 with echo is the prompt alone', async () => {
    const { post } = fakeApp();
    const { json } = await post({ prompt: 'ab', echo: true, logprobs: 0, max_tokens: 0 });
    expect(json.choices[0]).toMatchObject({ text: 'ab', finish_reason: 'length' });
    expect(json.choices[0].logprobs.tokens).toEqual(['ab']);
    expect(json.usage.completion_tokens).toBe(0);
  });
});

describe('a prompt that is a hole in disguise', () => {
  const prompt = '<|fim_prefix|>let a<|fim_suffix|>;<|fim_middle|>';
  const asked = async (config: typeof FAKE_CODER, body: object) => {
    const { post, engine } = fakeApp({ config });
    expect((await post(body)).status).toBe(200);
    return engine.requests.map(({ prompt, suffix }) => [prompt, suffix]);
  };

  test('is taken apart where the model fills holes', async () => {
    expect(await asked(FAKE_CODER, { prompt })).toEqual([['let a', ';']]);
    expect(await asked(FAKE_CODER, { prompt: [prompt, 'plain'] })).toEqual([
      ['let a', ';'],
      ['plain', null],
    ]);
  });

  test.each([
    ['the model does not', { ...FAKE_CODER, infill: null }, { prompt }, [prompt, null]],
    ['there is a suffix', FAKE_CODER, { prompt, suffix: '}' }, [prompt, '}']],
    ['it is echoed', FAKE_CODER, { prompt, echo: true }, [prompt, null]],
  ] as const)('is left alone where %s', async (_name, config, body, expected) => {
    expect(await asked(config, body)).toEqual([expected]);
  });

  test('a suffix that only says that there is none is none', async () => {
    expect(await asked(FAKE_CODER, { prompt: 'a', suffix: '<|endoftext|>' })).toEqual([['a', null]]);
  });
});

describe('on the real engine', () => {
  const LIMITS = { concurrency: 16, waiting: 32, seconds: 30 };

  function setUp(options: FakeModelOptions = {}) {
    const model = new FakeModel({ poolTokens: 64, reuse: true, ...options });
    const engine = new Engine(model, new ByteTokenizer(), LIMITS);
    const settings = { maxTokens: 1000, bodyLimitBytes: 4096, unknownFields: 'ignore' as const };
    const app = openApp(createHost({ modelName: 'fake', settings, load: async () => engine }));
    const post = (body: object, signal?: AbortSignal) =>
      app.request('/v1/completions', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        ...(signal && { signal }),
      });
    return { model, engine, post };
  }

  test('requests of several choices do not wait for each other for ever, in a pool that has room for one', async () => {
    const { model, engine, post } = setUp();
    const body = { prompt: 'x'.repeat(20), n: 3, max_tokens: 30, temperature: 1 };
    const answers = [1, 2, 3].map(async (seed) => {
      const answer = await post({ ...body, seed, stream: seed === 2 });
      await answer.text();
      return answer.status;
    });
    expect(await Promise.all(answers)).toEqual([200, 200, 200]);
    expect([model.freeTokens, engine.queue.running, engine.queue.waiting]).toEqual([model.maxTokens, 0, 0]);
  });

  test('choices after the first find their prompt in the cache', async () => {
    const { model, post } = setUp();
    await post({ prompt: 'x'.repeat(20), n: 2, max_tokens: 4 });
    const prefills = model.caches.map((_, cache) => model.forwards[model.turns.indexOf(cache)]?.ids.length);
    expect(prefills).toEqual([20, 4]);
  });

  test.each([true, false])('a client that leaves during the second choice frees it (stream: %s)', async (stream) => {
    const { model, engine, post } = setUp({ onForward: () => setTimeout(2) });
    const client = new AbortController();
    const answer = post({ prompt: 'xy', n: 2, max_tokens: 40, stream }, client.signal);
    const read = stream ? (await answer).text().catch(() => {}) : null;
    await vi.waitFor(() => expect(model.caches.length).toBe(2), { timeout: 10_000 });
    client.abort();
    await answer;
    await read;
    await vi.waitFor(() => expect(model.freeTokens).toBe(model.maxTokens));
    expect([engine.queue.running, engine.queue.waiting]).toEqual([0, 0]);
  });

  test('the log-probabilities of a text are those that echo gives it', async () => {
    const { post } = setUp({ poolTokens: 256 });
    // biome-ignore lint/suspicious/noExplicitAny: assertions say what it must be
    const made: any = await (await post({ prompt: 'let x', max_tokens: 20, logprobs: 2, temperature: 0 })).json();
    const [{ text, logprobs }] = made.choices;
    const again = { prompt: `let x${text}`, max_tokens: 0, echo: true, logprobs: 2 };
    // biome-ignore lint/suspicious/noExplicitAny: assertions say what it must be
    const echoed: any = await (await post(again)).json();
    const shown = echoed.choices[0].logprobs;
    expect(shown.tokens.slice(5)).toEqual(logprobs.tokens);
    expect(shown.token_logprobs[0]).toBeNull();
    expect(shown.token_logprobs.slice(5)).toEqual(logprobs.token_logprobs);
    expect(shown.top_logprobs.slice(5)).toEqual(logprobs.top_logprobs);
    expect(shown.text_offset.slice(5)).toEqual(logprobs.text_offset.map((offset: number) => offset + 5));
  });
});
