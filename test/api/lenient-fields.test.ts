/** Fields that clients of other servers send: what is accepted, ignored by name, cut to what fits, and refused. */
import { describe, expect, test } from 'vitest';
import { createHost } from '../../src/api/host.ts';
import { Engine } from '../../src/engine/engine.ts';
import { LIMITS } from '../engine/requests.ts';
import { ByteTokenizer } from '../support/engines/byte-tokenizer.ts';
import { FAKE_CODER } from '../support/engines/fake-engine.ts';
import { FakeModel } from '../support/engines/fake-model.ts';
import { fakeApp, messages } from '../support/hosts/fake-app.ts';
import { fakeService } from '../support/hosts/fake-service.ts';
import { openApp } from '../support/hosts/open-app.ts';

const HEADER = 'x-seedling-ignored';
const ROUTES: Readonly<Record<string, object>> = {
  '/v1/completions': { prompt: 'a' },
  '/v1/chat/completions': { messages: [{ role: 'user', content: 'a' }] },
  '/v1/fim/completions': { prompt: 'a', suffix: 'b' },
  '/v1/edit/completions': { code: 'a' },
  '/completion': { prompt: 'a' },
  '/infill': { input_prefix: 'a', input_suffix: 'b' },
};
const PATHS = Object.keys(ROUTES);
const app = (unknownFields: 'ignore' | 'reject' = 'ignore') =>
  fakeApp({ config: FAKE_CODER, totalTokens: 4096 }, 1024, unknownFields);

describe.each(PATHS)('%s', (path) => {
  const valid = ROUTES[path];

  test.each([
    { user: 'a', safety_identifier: 'b' },
    { metadata: { a: '1' }, store: true },
    { service_tier: 'flex', verbosity: 'low' },
    { reasoning_effort: 'high' },
    { reasoning: { effort: 'low' }, include_reasoning: false },
    { prompt_cache_key: 'a', prompt_cache_retention: '24h', cache_prompt: true },
    { parallel_tool_calls: true, modalities: ['text'] },
    { stream: true, stream_options: { include_usage: true, include_obfuscation: false } },
    { logit_bias: {} },
    { random_seed: 7 },
    { chat_template_kwargs: { enable_thinking: false } },
    { tools: [], tool_choice: 'auto', functions: [], function_call: 'none' },
    { response_format: { type: 'text' }, grammar: '', json_schema: {} },
    { typical_p: 1, typ_p: 1, tfs: 1, tfs_z: 1, top_a: 0 },
    { mirostat: 0, mirostat_tau: 5, mirostat_eta: 0.1 },
    { xtc_probability: 0, xtc_threshold: 0.1, dynatemp_range: 0, dynatemp_exponent: 1 },
    { dry_multiplier: 0, dry_base: 1.75, dry_allowed_length: 2, dry_penalty_last_n: -1, top_n_sigma: -1 },
    { no_repeat_ngram_size: 0, n: 1, min_tokens: 0, ignore_eos: false, stop_token_ids: [] },
    { tools: null, response_format: null, mirostat: null, user: null, prediction: null },
  ])('accepts %j without a word', async (fields) => {
    // Strict servers take it too: it is no unknown field.
    for (const setting of ['ignore', 'reject'] as const) {
      const { status, headers, text } = await app(setting).post({ ...valid, ...fields }, path);
      expect([status, headers.get(HEADER)], text).toEqual([200, null]);
    }
  });

  test.each([
    ['tools', { tools: [{ type: 'function' }], tool_choice: 'auto' }],
    ['tool_choice', { tool_choice: 'required' }],
    ['functions', { functions: [{}] }],
    ['response_format', { response_format: { type: 'json_object' } }],
    ['guided_json', { guided_json: {} }],
    ['no_repeat_ngram_size', { no_repeat_ngram_size: 3 }],
    ['typical_p', { typical_p: 0.9 }],
    ['tfs', { tfs: 0.5 }],
    ['top_a', { top_a: 0.2 }],
    ['mirostat', { mirostat: 2 }],
    ['xtc_probability', { xtc_probability: 0.5 }],
    ['dry_multiplier', { dry_multiplier: 0.8 }],
    ['dynatemp_range', { dynatemp_range: 0.5 }],
    ['top_n_sigma', { top_n_sigma: 1 }],
    ['grammar', { grammar: 'root ::= "a"' }],
    ['stop_token_ids', { stop_token_ids: [1] }],
    ['modalities', { modalities: ['text', 'audio'] }],
    ['n', { n: path === '/v1/fim/completions' || path === '/v1/edit/completions' ? 2 : 17 }],
  ])('refuses what would change the text: %s', async (field, fields) => {
    const { status, json } = await app().post({ ...valid, ...fields }, path);
    expect([status, json.error.param]).toEqual([400, field]);
  });

  test.each([
    ['a', { a: 1 }],
    ['max_new_tokens', { max_new_tokens: 3 }],
    ['x, y.z, A-9_', { x: null, 'y.z': [], 'A-9_': {} }],
    [
      'textKind, context, cacheKey, kind',
      { textKind: 'prompt', context: '<|fim_prefix|>', cacheKey: 'b', kind: 'edit' },
    ],
    ['constructor, __proto__', JSON.parse('{"constructor": 1, "__proto__": {"stream": true}}')],
    ['+1', { 'a b': 1 }],
    ['a, +3', { a: 1, 'x\r\nset-cookie: b': 1, ä: 1, '': 1 }],
    [`${'a'.repeat(40)}, +1`, { ['a'.repeat(40)]: 1, ['a'.repeat(41)]: 1 }],
    ['+2', { '\u0000': 1, '\ud800': 1 }],
  ])('ignores and names %s', async (named, fields) => {
    const body = JSON.stringify({ ...valid })
      .slice(0, -1)
      .concat(',', JSON.stringify(fields).slice(1));
    const plain = await app().post({ ...valid, seed: 1 }, path);
    const { post, postRaw, engine } = app();
    const { status, headers, json } = await postRaw(body, { 'content-type': 'application/json' }, path);
    expect([status, headers.get(HEADER)]).toEqual([200, named]);
    // The engine sees nothing of it.
    const [asked] = [...engine.requests, ...engine.edits] as unknown as Record<string, unknown>[];
    await post({ ...valid }, path);
    const [, without] = [...engine.requests, ...engine.edits] as unknown as Record<string, unknown>[];
    expect({ ...asked, seed: 0 }).toEqual({ ...without, seed: 0 });
    expect(Object.keys(json)).toEqual(Object.keys(plain.json));
    const strict = await app('reject').postRaw(body, { 'content-type': 'application/json' }, path);
    expect([strict.status, strict.json.error.code]).toEqual([400, 'unknown_parameter']);
  });

  test('60,000 unknown fields are 16 names and a count', async () => {
    const many = Object.fromEntries(Array.from({ length: 60_000 }, (_, i) => [`k${i}`, 0]));
    const { status, headers } = await app().post({ ...many, ...valid }, path);
    expect(status).toBe(200);
    const names = headers.get(HEADER)?.split(', ') ?? [];
    expect(names).toEqual([...Array.from({ length: 16 }, (_, i) => `k${i}`), '+59984']);
    const refused = await app('reject').post({ ...many, ...valid }, path);
    expect([refused.status, refused.json.error.param]).toEqual([400, 'k0']);
  });

  test('names them in a stream and in the log', async () => {
    const { post, recorded } = fakeService({ ACCESS: 'open' }, {}, { config: FAKE_CODER });
    const response = await post({ ...valid, stream: true, a: 1, 'b\n': 2 }, {}, undefined, path);
    expect(response.headers.get(HEADER)).toBe('a, +1');
    await response.text();
    expect(await recorded(1)).toMatchObject([{ ignored: 'a, +1', status: 200 }]);
  });
});

test.each([
  [
    '/v1/chat/completions',
    { messages: [{ role: 'user', content: 'a', id: 'x', annotations: [] }] },
    'messages.id, messages.annotations',
  ],
  ['/v1/chat/completions', { messages: [{ role: 'user', content: [{ type: 'text', text: 'a', x: 1 }] }] }, null],
  ['/v1/completions', { prompt: 'a', stream: true, stream_options: { x: 1, include_usage: true } }, 'stream_options.x'],
  ['/infill', { input_prefix: 'a', input_suffix: 'b', input_extra: [{ text: 'c', time: 1 }] }, 'input_extra.time'],
  ['/tokenize', { content: 'a', model: 'b' }, 'model'],
  ['/detokenize', { tokens: [97], x: 1 }, 'x'],
])('%s ignores inside %j', async (path, body, named) => {
  const { status, headers } = await app().post(body, path);
  expect([status, headers.get(HEADER)]).toEqual([200, named]);
});

test.each([
  ['/v1/completions', { decoding: { x: 1 } }, 'decoding.x'],
  ['/v1/completions', { decoding: { approximate_cache: { x: 1 } } }, 'decoding.approximate_cache.x'],
  ['/v1/chat/completions', { decoding: { remasking: { x: 1 } } }, 'decoding.remasking.x'],
  ['/v1/fim/completions', { decoding: { thresholds: 1 } }, 'decoding.thresholds'],
  ['/v1/edit/completions', { settings: { x: 1 } }, 'settings.x'],
  ['/v1/edit/completions', { region: { start: 0, end: 1, x: 1 } }, 'region.x'],
])("%s refuses unknown fields of this server's own objects: %j", async (path, fields, param) => {
  const { status, json } = await app().post({ ...ROUTES[path], ...fields }, path);
  expect([status, json.error.code, json.error.param]).toEqual([400, 'unknown_parameter', param]);
});

test('random_seed is the seed on every route that draws', async () => {
  for (const path of PATHS.filter((name) => name !== '/v1/edit/completions')) {
    const { post, engine } = app();
    await post({ ...ROUTES[path], random_seed: 41 }, path);
    expect(engine.requests[0]?.seed, path).toBe(41);
    const { status, json } = await post({ ...ROUTES[path], seed: 1, random_seed: 2 }, path);
    expect([status, json.error.param]).toEqual([400, 'random_seed']);
  }
});

describe('max_tokens past the limit', () => {
  const CONTEXT = 64;
  const chatTemplate = {
    template: '{% for message in messages %}{{ message.content }}{% endfor %}',
    bosToken: '',
    eosToken: '',
  };

  async function cut(path: string, body: object, maxTokens = 32) {
    const model = new FakeModel({ poolTokens: CONTEXT, config: { chatTemplate } });
    const engine = new Engine(model, new ByteTokenizer(), LIMITS);
    const settings = { maxTokens, bodyLimitBytes: 1 << 20, unknownFields: 'ignore' as const };
    const served = openApp(createHost({ modelName: 'fake', settings, load: async () => engine }));
    const headers = { 'content-type': 'application/json' };
    const response = await served.request(path, { method: 'POST', headers, body: JSON.stringify(body) });
    const text = await response.text();
    const json = text.startsWith('data: ') ? messages(text).findLast((part) => part.usage) : JSON.parse(text);
    expect(model.freeTokens).toBe(model.maxTokens);
    return [response.status, response.headers.get(HEADER), json.usage?.completion_tokens ?? json.tokens_predicted];
  }

  const say = (length: number) => [{ role: 'user', content: 'x'.repeat(length) }];
  const x = (length: number) => 'x'.repeat(length);

  test.each([
    ['/v1/completions', { prompt: x(9), max_tokens: 32 }, null, 32],
    ['/v1/completions', { prompt: x(9), max_tokens: 33 }, 'max_tokens=32', 32],
    ['/v1/completions', { prompt: x(9), max_tokens: 1e15 }, 'max_tokens=32', 32],
    ['/v1/completions', { prompt: x(62), max_tokens: 2 }, null, 2],
    ['/v1/completions', { prompt: x(62), max_tokens: 3 }, 'max_tokens=2', 2],
    ['/v1/completions', { prompt: x(63), max_tokens: 3, a: 1 }, 'max_tokens=1, a', 1],
    ['/v1/completions', { prompt: Array(62).fill(120), max_tokens: 30 }, 'max_tokens=2', 2],
    ['/v1/completions', { prompt: [x(60), x(62)], max_tokens: 30 }, 'max_tokens=2', 6],
    ['/v1/completions', { prompt: x(62), max_tokens: 3, n: 2 }, 'max_tokens=2', 4],
    [
      '/v1/completions',
      { prompt: x(62), max_tokens: 3, stream: true, stream_options: { include_usage: true } },
      'max_tokens=2',
      2,
    ],
    // A default is nobody's wish: it is cut without a word.
    ['/v1/completions', { prompt: x(60) }, null, 4],
    ['/v1/chat/completions', { messages: say(62), max_tokens: 3 }, 'max_tokens=2', 2],
    ['/v1/chat/completions', { messages: say(9), max_completion_tokens: 99 }, 'max_completion_tokens=32', 32],
    [
      '/v1/chat/completions',
      { messages: say(9), max_tokens: 99, max_completion_tokens: 99 },
      'max_tokens=32, max_completion_tokens=32',
      32,
    ],
    ['/v1/chat/completions', { messages: say(62) }, null, 2],
    ['/v1/fim/completions', { prompt: x(62), max_tokens: 3 }, 'max_tokens=2', 2],
    ['/completion', { prompt: x(62), n_predict: 3 }, 'n_predict=2', 2],
    ['/completion', { prompt: x(62), max_tokens: 3 }, 'max_tokens=2', 2],
    ['/completion', { prompt: x(62), n_predict: -1 }, null, 2],
    ['/completion', { prompt: x(9), n_predict: 5000 }, 'n_predict=32', 32],
  ])('%s %j is cut to what fits', async (path, body, header, tokens) => {
    expect(await cut(path, body)).toEqual([200, header, tokens]);
  });

  test.each([
    ['/v1/completions', { prompt: x(64), max_tokens: 3 }],
    ['/v1/completions', { prompt: Array(64).fill(120), max_tokens: 1 }],
    ['/v1/completions', { prompt: [x(9), x(64)] }],
    ['/v1/chat/completions', { messages: say(64) }],
    ['/v1/fim/completions', { prompt: x(70) }],
    ['/completion', { prompt: x(64), n_predict: -1 }],
  ])('%s: a prompt that leaves no room is refused: %j', async (path, body) => {
    expect((await cut(path, body))[0]).toBe(400);
  });
});

describe('variables of the chat template', () => {
  const template =
    '{% if enable_thinking is defined and not enable_thinking %}[off]{% endif %}{% if reasoning_effort is defined %}[{{ reasoning_effort }}]{% endif %}{% if style is defined %}{{ style.name }}{% endif %}{{ eos_token }}{% for message in messages %}{{ message.content }}{% endfor %}';
  const config = { ...FAKE_CODER, chatTemplate: { template, bosToken: '', eosToken: '$' } };
  const ask = async (fields: object) => {
    const { post, engine } = fakeApp({ config });
    const { status, json } = await post(
      { messages: [{ role: 'user', content: 'a' }], ...fields },
      '/v1/chat/completions',
    );
    const prompt = engine.requests[0]?.prompt as Int32Array | undefined;
    return status === 200 ? new TextDecoder().decode(Uint8Array.from(prompt ?? [])) : [status, json.error.param];
  };

  test.each([
    [{}, '$a'],
    [{ chat_template_kwargs: null }, '$a'],
    [{ chat_template_kwargs: { enable_thinking: false } }, '[off]$a'],
    [{ chat_template_kwargs: { enable_thinking: true } }, '$a'],
    [{ reasoning_effort: 'low' }, '[low]$a'],
    [{ reasoning_effort: 'low', chat_template_kwargs: { reasoning_effort: 'high' } }, '[high]$a'],
    [{ chat_template_kwargs: { style: { name: 'b', list: [null, 1, true] } } }, 'b$a'],
    [{ chat_template_kwargs: { messages: [] } }, [400, 'chat_template_kwargs.messages']],
    [{ chat_template_kwargs: { eos_token: '' } }, [400, 'chat_template_kwargs.eos_token']],
    [{ chat_template_kwargs: { tools: [] } }, [400, 'chat_template_kwargs.tools']],
    [{ chat_template_kwargs: 'a' }, [400, 'chat_template_kwargs']],
    [{ chat_template_kwargs: [] }, [400, 'chat_template_kwargs']],
  ])('%j', async (fields, expected) => {
    expect(await ask(fields)).toEqual(expected);
  });
});
