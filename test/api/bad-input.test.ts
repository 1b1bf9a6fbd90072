import { describe, expect, test, vi } from 'vitest';
import { NO_ROOM_EVER, NO_ROOM_NOW, RETRY_SECONDS, TOO_MANY } from '../support/engines/fake-engine.ts';
import { BODY_LIMIT, fakeApp } from '../support/hosts/fake-app.ts';

const ok = { prompt: 'x' };

/** name, body, status, code, param */
type Row = readonly [name: string, body: unknown, status: number, code: string, param: string | null];

const rows: readonly Row[] = [
  ['an array', [], 400, 'invalid_type', null],
  ['null', null, 400, 'invalid_type', null],
  ['a string', 'prompt', 400, 'invalid_type', null],
  ['no prompt', {}, 400, 'missing_required_parameter', 'prompt'],
  ['a prompt of the wrong type', { prompt: 5 }, 400, 'invalid_type', 'prompt'],
  ['a null prompt', { prompt: null }, 400, 'invalid_type', 'prompt'],
  ['a prompt of texts and ids', { prompt: ['a', [1]] }, 400, 'invalid_type', 'prompt'],
  ['a prompt of ids and lists of them', { prompt: [1, [2]] }, 400, 'invalid_type', 'prompt'],
  ['a prompt of nested lists', { prompt: [[[1]]] }, 400, 'invalid_type', 'prompt'],
  ['33 prompts', { prompt: Array(33).fill('a') }, 400, 'invalid_value', 'prompt'],
  [
    'a second prompt that the engine refuses',
    { prompt: ['x', 'x'.repeat(5000)] },
    400,
    'context_length_exceeded',
    'prompt',
  ],
  ['a token id that is a fraction', { prompt: [1.5] }, 400, 'invalid_type', 'prompt'],
  ['a negative token id', { prompt: [-1] }, 400, 'invalid_type', 'prompt'],
  ['a token id outside the vocabulary', { prompt: [1, 1000] }, 400, 'invalid_value', 'prompt'],
  ['a lone surrogate in the prompt', { prompt: 'a\ud800b' }, 400, 'invalid_value', 'prompt'],
  ['a prompt past the context in bytes', { prompt: 'x'.repeat(500_000) }, 400, 'context_length_exceeded', 'prompt'],
  ['a prompt past the context in ids', { prompt: Array(5000).fill(1) }, 400, 'context_length_exceeded', 'prompt'],
  ['a prompt that the engine refuses', { prompt: 'x'.repeat(5000) }, 400, 'context_length_exceeded', 'prompt'],
  ['max_tokens 0', { ...ok, max_tokens: 0 }, 400, 'invalid_value', 'max_tokens'],
  ['max_tokens -1', { ...ok, max_tokens: -1 }, 400, 'invalid_value', 'max_tokens'],
  ['max_tokens 1e300', { ...ok, max_tokens: 1e300 }, 400, 'invalid_value', 'max_tokens'],
  ['max_tokens 1.5', { ...ok, max_tokens: 1.5 }, 400, 'invalid_type', 'max_tokens'],
  ['max_tokens as text', { ...ok, max_tokens: '16' }, 400, 'invalid_type', 'max_tokens'],
  ['another model', { ...ok, model: 'gpt-5' }, 404, 'model_not_found', 'model'],
  ['a model of the wrong type', { ...ok, model: 7 }, 400, 'invalid_type', 'model'],
  ['a lone surrogate in the model', { ...ok, model: '\udfff' }, 400, 'invalid_value', 'model'],
  ['an unknown field in decoding', { ...ok, decoding: { x: 1 } }, 400, 'unknown_parameter', 'decoding.x'],
  [
    'stream options of the wrong type',
    { ...ok, stream: true, stream_options: 5 },
    400,
    'invalid_type',
    'stream_options',
  ],
  [
    'an unknown field in remasking',
    { ...ok, decoding: { remasking: { x: 1 } } },
    400,
    'unknown_parameter',
    'decoding.remasking.x',
  ],
  ['tools', { ...ok, tools: [{}] }, 400, 'unsupported_parameter', 'tools'],
  ['stream options without a stream', { ...ok, stream_options: {} }, 400, 'invalid_value', 'stream_options'],
  ['stream as text', { ...ok, stream: 'true' }, 400, 'invalid_type', 'stream'],
  ['temperature past 2', { ...ok, temperature: 2.1 }, 400, 'invalid_value', 'temperature'],
  ['a negative temperature', { ...ok, temperature: -0.1 }, 400, 'invalid_value', 'temperature'],
  ['top_p 0', { ...ok, top_p: 0 }, 400, 'invalid_value', 'top_p'],
  ['a seed that is a fraction', { ...ok, seed: 0.5 }, 400, 'invalid_type', 'seed'],
  ['an empty stop', { ...ok, stop: '' }, 400, 'invalid_value', 'stop'],
  ['an empty stop in a list', { ...ok, stop: ['a', ''] }, 400, 'invalid_value', 'stop.1'],
  ['33 stops', { ...ok, stop: Array(33).fill('a') }, 400, 'invalid_value', 'stop'],
  ['a lone surrogate in a stop', { ...ok, stop: ['\ud83d'] }, 400, 'invalid_value', 'stop.0'],
  ['block length 0', { ...ok, decoding: { block_length: 0 } }, 400, 'invalid_value', 'decoding.block_length'],
  ['block length 65', { ...ok, decoding: { block_length: 65 } }, 400, 'invalid_value', 'decoding.block_length'],
  ['an unknown policy', { ...ok, decoding: { policy: 'magic' } }, 400, 'invalid_value', 'decoding.policy'],
  ['a threshold past 1', { ...ok, decoding: { threshold: 1.1 } }, 400, 'invalid_value', 'decoding.threshold'],
  ['steps without policy fixed', { ...ok, decoding: { steps: 2 } }, 400, 'invalid_value', 'decoding.steps'],
  [
    'a threshold with policy fixed',
    { ...ok, decoding: { policy: 'fixed', threshold: 1 } },
    400,
    'invalid_value',
    'decoding.threshold',
  ],
  [
    'more steps than the block has tokens',
    { ...ok, decoding: { policy: 'fixed', steps: 5 } },
    400,
    'invalid_value',
    'decoding.steps',
  ],
  ['n 0', { ...ok, n: 0 }, 400, 'invalid_value', 'n'],
  ['n 17', { ...ok, n: 17 }, 400, 'invalid_value', 'n'],
  ['best_of below n', { ...ok, n: 3, best_of: 2 }, 400, 'invalid_value', 'best_of'],
  ['best_of with a stream', { ...ok, best_of: 2, stream: true }, 400, 'invalid_value', 'best_of'],
  ['best_of 21', { ...ok, best_of: 21 }, 400, 'invalid_value', 'best_of'],
  ['more completions than one request may ask for', { prompt: Array(5).fill('a'), n: 16 }, 400, 'invalid_value', 'n'],
  ['echo as text', { ...ok, echo: 'yes' }, 400, 'invalid_type', 'echo'],
  ['echo with a suffix', { ...ok, echo: true, suffix: 'b' }, 400, 'invalid_value', 'echo'],
  ['logprobs 6', { ...ok, logprobs: 6 }, 400, 'invalid_value', 'logprobs'],
  ['logprobs true', { ...ok, logprobs: true }, 400, 'invalid_type', 'logprobs'],
  ['suffix that is no text', { ...ok, suffix: 5 }, 400, 'invalid_type', 'suffix'],
  ['no room ever', { prompt: NO_ROOM_EVER }, 400, 'context_length_exceeded', null],
];

describe('a body that is refused', () => {
  test.each(rows)('%s', async (_name, body, status, code, param) => {
    const { post, engine } = fakeApp();
    const answer = await post(body);
    expect([answer.status, answer.json.error.code, answer.json.error.param]).toEqual([status, code, param]);
    expect(answer.json.error.type).toBe('invalid_request_error');
    expect(answer.json.error.message).toMatch(/\S{2,}/);
    expect(engine.steps).toBe(0);
    expect(engine.model.freeTokens).toBe(engine.model.maxTokens);
  });

  test.each([
    ['malformed', '{"prompt":'],
    ['empty', ''],
    ['not JSON', 'prompt=x'],
    ['cut within a string', '{"prompt":"abc'],
    ['200,000 open brackets', '['.repeat(200_000)],
    ['bytes that are no UTF-8', new Uint8Array([0xff, 0xfe, 0x7b])],
  ])('%s', async (_name, body) => {
    const answer = await fakeApp().postRaw(body);
    expect([answer.status, answer.json.error.code]).toEqual([400, 'invalid_json']);
  });

  test.each(['prompt', 'user', 'stop', 'logit_bias', 'decoding', 'reasoning_effort'])(
    'deep nesting in %s',
    async (field) => {
      const deep = '['.repeat(100_000) + ']'.repeat(100_000);
      const answer = await fakeApp().postRaw(
        `{"max_tokens":1,"${field}":${deep}${field === 'prompt' ? '' : ',"prompt":"x"'}}`,
      );
      expect(answer.status).toBe(400);
      expect(answer.json.error.param).toBe(field);
    },
  );

  test('__proto__ is an unknown field like any other', async () => {
    const answer = await fakeApp({}, 1024, 'reject').postRaw('{"prompt":"x","__proto__":{"stream":true}}');
    expect([answer.status, answer.json?.error.param]).toEqual([400, '__proto__']);
  });

  test('a very long or strange field name comes back short and well-formed', async () => {
    const strange = `{"prompt":"x","${'\\ud800'.repeat(10_000)}":1}`;
    const { json, text } = await fakeApp({}, 1024, 'reject').postRaw(strange);
    expect(json.error.code).toBe('unknown_parameter');
    expect(text.length).toBeLessThan(2000);
  });

  test('every wrong element of a large array costs nothing', async () => {
    const answer = await fakeApp().postRaw(`{"prompt":[${Array(300_000).fill('""').join()}]}`);
    expect(answer.json.error.code).toBe('invalid_value');
  });

  test.each([
    ['with its length', { 'content-length': String(10 * BODY_LIMIT) }],
    ['without its length', {}],
  ])('10 MB, %s', async (_name, headers) => {
    const body = JSON.stringify({ prompt: 'x'.repeat(10 * BODY_LIMIT) });
    const answer = await fakeApp().postRaw(body, { 'content-type': 'application/json', ...headers });
    expect([answer.status, answer.json.error.code]).toEqual([413, 'request_too_large']);
  });

  test.each([{}, { 'content-type': 'text/plain' }, { 'content-type': 'multipart/form-data; boundary=x' }])(
    'content type %j',
    async (headers) => {
      const answer = await fakeApp().postRaw(
        new TextEncoder().encode('{"prompt":"x"}'),
        headers as Record<string, string>,
      );
      expect([answer.status, answer.json.error.code]).toEqual([415, 'unsupported_media_type']);
    },
  );
});

describe('a request that goes nowhere', () => {
  test.each([
    ['GET', '/v1/completions', 'POST'],
    ['DELETE', '/v1/models', 'GET, HEAD'],
    ['POST', '/health', 'GET, HEAD'],
  ])('%s %s', async (method, path, allow) => {
    const answer = await fakeApp().ask(path, { method });
    expect([answer.status, answer.json.error.code]).toEqual([405, 'method_not_allowed']);
    expect(answer.headers.get('allow')).toBe(allow);
  });

  test.each(['/', '/v1', '/v1/responses', '/models/fake/weights-000.bin', '/v1/completions/'])(
    'unknown route %s',
    async (path) => {
      const answer = await fakeApp().ask(path, { method: 'POST', body: '{}' });
      expect([answer.status, answer.json.error.code]).toEqual([404, 'unknown_url']);
    },
  );

  test('another model by its route', async () => {
    const answer = await fakeApp().ask('/v1/models/other');
    expect([answer.status, answer.json.error.code]).toEqual([404, 'model_not_found']);
  });
});

test.each([
  ['no room in time', NO_ROOM_NOW, 503, 'server_error', 'overloaded'],
  ['too many that wait', TOO_MANY, 429, 'requests', 'rate_limit_exceeded'],
])('%s: a status that clients retry, with a time to come back', async (_name, prompt, status, type, code) => {
  for (const stream of [true, false]) {
    const answer = await fakeApp().post({ prompt, stream });
    expect(answer.status).toBe(status);
    expect(answer.json).toEqual({ error: { message: expect.any(String), type, param: null, code } });
    expect(answer.headers.get('retry-after')).toBe(String(RETRY_SECONDS));
  }
});

test('an unexpected error is logged and shows nothing of itself', async () => {
  const log = vi.spyOn(console, 'error').mockImplementation(() => {});
  const { app, engine } = fakeApp();
  vi.spyOn(engine, 'admit').mockImplementation(() => {
    throw new TypeError('secret detail in /a/path');
  });
  const response = await app.request('/v1/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(ok),
  });
  const text = await response.text();
  expect([response.status, JSON.parse(text).error.code]).toEqual([500, 'internal_error']);
  expect(text).not.toMatch(/secret|path|TypeError/);
  expect(log).toHaveBeenCalledOnce();
  log.mockRestore();
});
