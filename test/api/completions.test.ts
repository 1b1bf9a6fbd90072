import { afterEach, describe, expect, test, vi } from 'vitest';
import { EMPTY_BLOCKS, FAIL_EARLY, FAIL_LATE, FAKE_CACHED_TOKENS } from '../support/engines/fake-engine.ts';
import { fakeApp, messages } from '../support/hosts/fake-app.ts';

afterEach(() => vi.restoreAllMocks());

describe('one body', () => {
  test('is a text_completion with usage and cost', async () => {
    const { post, engine } = fakeApp();
    const { status, json } = await post({ model: 'fake', prompt: 'abc', max_tokens: 6, seed: 7 });
    expect(status).toBe(200);
    expect(json).toEqual({
      id: expect.stringMatching(/^cmpl-[0-9a-f]{32}$/),
      object: 'text_completion',
      created: expect.any(Number),
      model: 'fake',
      choices: [{ text: ' 0 1 2 3 4 5', index: 0, logprobs: null, finish_reason: 'length' }],
      usage: {
        prompt_tokens: 3,
        completion_tokens: 6,
        total_tokens: 9,
        prompt_tokens_details: { cached_tokens: FAKE_CACHED_TOKENS },
      },
      seedling: {
        nfe: 7,
        tokens_per_forward: 6 / 7,
        position_forwards: 24,
        position_forwards_per_token: 4,
        prefill_ms: 1,
        decode_ms: 2,
        seed: 7,
      },
    });
    expect(Math.abs(json.created - Date.now() / 1000)).toBeLessThan(60);
    expect(engine.model.freeTokens).toBe(engine.model.maxTokens);
  });

  test('fills every default', async () => {
    const { post, engine } = fakeApp();
    const { json } = await post({ prompt: 'abc' });
    expect(engine.requests).toEqual([
      {
        kind: 'generate',
        context: '',
        prompt: 'abc',
        textKind: 'prompt',
        tokenHealing: true,
        suffix: null,
        maxTokens: 16,
        temperature: 0,
        topP: 1,
        topK: 0,
        minP: 0,
        seed: json.seedling.seed,
        stop: [],
        logitRules: null,
        logprobs: null,
        timeLimitMs: null,
        decoding: {
          policy: 'confidence',
          threshold: 0.3,
          blockLength: null,
          verify: true,
          remasking: null,
          approximateCache: null,
        },
        cacheKey: '',
      },
    ]);
    await post({ prompt: 'abc' });
    expect(engine.requests[1]?.seed).not.toBe(json.seedling.seed);
  });

  test('passes every field on', async () => {
    const { post, engine } = fakeApp();
    const { status } = await post({
      prompt: [5, 6],
      suffix: '}',
      max_tokens: 8,
      temperature: 0.5,
      top_p: 0.9,
      seed: -3,
      stop: ['\n\n', '```'],
      top_k: 40,
      token_healing: false,
      frequency_penalty: 0.5,
      presence_penalty: -0.5,
      logit_bias: { 7: -100, 8: 0 },
      decoding: { policy: 'fixed', steps: 2, schedule: 'cosine', block_length: 8, verify: false },
    });
    expect(status).toBe(200);
    expect(engine.requests).toEqual([
      {
        kind: 'generate',
        context: '',
        prompt: Int32Array.of(5, 6),
        textKind: 'prompt',
        tokenHealing: false,
        suffix: '}',
        maxTokens: 8,
        temperature: 0.5,
        topP: 0.9,
        topK: 40,
        minP: 0,
        seed: -3,
        stop: ['\n\n', '```'],
        logitRules: { frequencyPenalty: 0.5, presencePenalty: -0.5, logitBias: new Map([[7, -100]]) },
        logprobs: null,
        timeLimitMs: null,
        decoding: {
          policy: 'fixed',
          steps: 2,
          schedule: 'cosine',
          blockLength: 8,
          verify: false,
          remasking: null,
          approximateCache: null,
        },
        cacheKey: '',
      },
    ]);
  });

  test('accepts the neutral value, or null, of every field that it does not serve', async () => {
    const neutral = {
      n: 1,
      best_of: 1,
      echo: false,
      logit_bias: {},
      suffix: '',
      presence_penalty: 0,
      frequency_penalty: 0,
    };
    const nulls = Object.fromEntries(
      [
        ...Object.keys(neutral),
        'logprobs',
        'stop',
        'seed',
        'user',
        'max_tokens',
        'temperature',
        'top_p',
        'top_k',
        'stream',
        'stream_options',
        'decoding',
      ].map((name) => [name, null]),
    );
    const { post } = fakeApp();
    expect((await post({ prompt: '', user: 'u', stop: 'x', ...neutral })).status).toBe(200);
    expect((await post({ prompt: '', ...nulls })).status).toBe(200);
  });
});

describe('a stream', () => {
  test('is a message per block, the reason and the cost, then [DONE]', async () => {
    const { post, engine } = fakeApp();
    const { status, headers, text } = await post({ prompt: 'abc', max_tokens: 6, stream: true });
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('text/event-stream');
    expect(headers.get('cache-control')).toBe('no-store, no-transform');
    const chunks = messages(text);
    expect(chunks.at(-1)).toBe('[DONE]');
    const choice = (t: string, finish_reason: string | null) => [{ text: t, index: 0, logprobs: null, finish_reason }];
    expect(chunks.slice(0, -1).map((chunk) => chunk.choices)).toEqual([
      choice(' 0 1 2 3', null),
      choice(' 4 5', null),
      choice('', 'length'),
    ]);
    expect(
      new Set(
        chunks.slice(0, -1).map(({ id, object, created, model }) => JSON.stringify({ id, object, created, model })),
      ).size,
    ).toBe(1);
    expect(chunks[0]).not.toHaveProperty('usage');
    expect(chunks[0]).not.toHaveProperty('seedling');
    expect(chunks[2].seedling.nfe).toBe(7);
    expect(engine.model.freeTokens).toBe(engine.model.maxTokens);
  });

  test('sends usage last, with no choices, only when asked', async () => {
    const { text } = await fakeApp().post({ prompt: 'abc', stream: true, stream_options: { include_usage: true } });
    const chunks = messages(text);
    expect(chunks.at(-2)).toMatchObject({
      choices: [],
      usage: {
        prompt_tokens: 3,
        completion_tokens: 16,
        total_tokens: 19,
        prompt_tokens_details: { cached_tokens: FAKE_CACHED_TOKENS },
      },
    });
    expect(chunks.slice(0, -2).every((chunk) => chunk.usage === null && chunk.choices.length === 1)).toBe(true);
    const plain = await fakeApp().post({ prompt: 'abc', stream: true, stream_options: { include_usage: false } });
    expect(plain.text).not.toContain('"usage"');
    expect(plain.text).not.toContain('"choices":[]');
  });

  test('skips blocks without text', async () => {
    const { text } = await fakeApp().post({ prompt: EMPTY_BLOCKS, max_tokens: 12, stream: true });
    expect(
      messages(text)
        .slice(0, -1)
        .map((chunk) => chunk.choices[0].text),
    ).toEqual([' 0 1 2 3', ' 8 9 10 11', '']);
  });

  test('that fails before its first byte is an HTTP error', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => {});
    const { post, engine } = fakeApp();
    for (const stream of [true, false]) {
      const { status, json, text } = await post({ prompt: FAIL_EARLY, stream });
      expect([status, json.error.code]).toEqual([500, 'internal_error']);
      expect(text).not.toContain('secret');
    }
    expect(engine.model.freeTokens).toBe(engine.model.maxTokens);
  });

  test('that fails after its first byte ends with one error message', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {});
    const { post, engine } = fakeApp();
    const { status, text } = await post({ prompt: FAIL_LATE, stream: true });
    expect(status).toBe(200);
    const [first, error, ...rest] = messages(text);
    expect(first.choices[0].text).toBe(' 0 1 2 3');
    expect(error).toEqual({
      error: { message: expect.any(String), type: 'server_error', param: null, code: 'internal_error' },
    });
    expect(rest).toEqual([]);
    expect(text).not.toContain('secret');
    expect(log).toHaveBeenCalledOnce();
    expect(engine.model.freeTokens).toBe(engine.model.maxTokens);
  });

  test('does not run ahead of a reader who does not read', async () => {
    const { app, engine } = fakeApp();
    const response = await app.request('/v1/completions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ prompt: 'abc', max_tokens: 1000, stream: true }),
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(engine.steps).toBeLessThanOrEqual(20);
    await response.body?.cancel();
    await vi.waitFor(() => expect(engine.model.freeTokens).toBe(engine.model.maxTokens));
    expect(engine.steps).toBeLessThanOrEqual(20);
  });
});
