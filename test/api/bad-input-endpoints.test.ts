/** What each endpoint but `/v1/completions` refuses, by name. */
import { describe, expect, test } from 'vitest';
import { FAKE_CODER } from '../support/engines/fake-engine.ts';
import { fakeApp } from '../support/hosts/fake-app.ts';

/** name, body, code, param */
type Row = readonly [name: string, body: unknown, code: string, param: string | null];

const user = (content: unknown) => ({ messages: [{ role: 'user', content }] });
const chat = user('a');
const fim = { prompt: 'a', suffix: 'b' };
const infill = { input_prefix: 'a', input_suffix: 'b' };
const edit = { code: 'a' };
const MISSING = 'missing_required_parameter';
const predicting = (content: unknown) => ({ ...chat, prediction: { type: 'content', content } });
const unchecked = (decoding: object, content?: string) => ({
  ...(content === undefined ? chat : predicting(content)),
  decoding: { ...decoding, verify: false },
});
const image = { type: 'image_url', image_url: { url: 'data:,' } };

const TABLES: Readonly<Record<string, readonly Row[]>> = {
  '/v1/fim/completions': [
    ['no prompt', { suffix: 'b' }, 'missing_required_parameter', 'prompt'],
    ['a prompt of ids', { prompt: [1] }, 'invalid_type', 'prompt'],
    ['max_tokens 0', { ...fim, max_tokens: 0 }, 'invalid_value', 'max_tokens'],
    ['max_tokens as text', { ...fim, max_tokens: '5000' }, 'invalid_type', 'max_tokens'],
    ['min_tokens', { ...fim, min_tokens: 3 }, 'unsupported_parameter', 'min_tokens'],
    ['a repetition penalty of 0', { ...fim, repetition_penalty: 0 }, 'invalid_value', 'repetition_penalty'],
    ['two seeds', { ...fim, seed: 1, random_seed: 2 }, 'invalid_value', 'random_seed'],
    ['top_k -2', { ...fim, top_k: -2 }, 'invalid_value', 'top_k'],
    ['n', { ...fim, n: 2 }, 'unsupported_parameter', 'n'],
    ['diffusing without a stream', { ...fim, diffusing: true }, 'invalid_value', 'diffusing'],
    ['a lone surrogate', { ...fim, suffix: '\ud800' }, 'invalid_value', 'suffix'],
    ['a prediction', { ...fim, prediction: { type: 'content' } }, 'unsupported_parameter', 'prediction'],
  ],
  '/v1/chat/completions': [
    ['no messages', {}, 'missing_required_parameter', 'messages'],
    ['an empty list', { messages: [] }, 'invalid_value', 'messages'],
    ['a strange role', { messages: [{ role: 'robot', content: 'a' }] }, 'invalid_value', 'messages.0.role'],
    ['a tool message', { messages: [{ role: 'tool', content: 'a' }] }, 'invalid_value', 'messages.0.role'],
    ['no content', { messages: [{ role: 'user' }] }, 'missing_required_parameter', 'messages.0.content'],
    ['no role', { messages: [{ content: 'a' }] }, 'missing_required_parameter', 'messages.0.role'],
    ['a number for content', user(5), 'invalid_value', 'messages.0.content'],
    ['an image', user([{ type: 'text', text: 'a' }, image]), 'invalid_value', 'messages.0.content.1.type'],
    [
      'tool calls',
      { messages: [{ role: 'assistant', content: '', tool_calls: [{}] }] },
      'unsupported_parameter',
      'messages.0.tool_calls',
    ],
    ['a lone surrogate', user('\udc00'), 'invalid_value', 'messages.0.content'],
    ['tools', { ...chat, tools: [{ type: 'function' }] }, 'unsupported_parameter', 'tools'],
    ['a forced tool', { ...chat, tool_choice: 'required' }, 'unsupported_parameter', 'tool_choice'],
    ['functions', { ...chat, functions: [{}] }, 'unsupported_parameter', 'functions'],
    ['JSON mode', { ...chat, response_format: { type: 'json_object' } }, 'unsupported_parameter', 'response_format'],
    ['audio', { ...chat, modalities: ['text', 'audio'] }, 'unsupported_parameter', 'modalities'],
    ['an empty prediction', { ...chat, prediction: { type: 'content' } }, MISSING, 'prediction.content'],
    ['a predicted image', predicting([image]), 'invalid_value', 'prediction.content.0.type'],
    ['a predicted number', predicting(5), 'invalid_value', 'prediction.content'],
    [
      'another kind of prediction',
      { ...chat, prediction: { type: 'x', content: 'a' } },
      'invalid_value',
      'prediction.type',
    ],
    ['a prediction in text', { ...chat, prediction: 'a' }, 'invalid_type', 'prediction'],
    ['a prediction that nothing checks', unchecked({}, 'a'), 'unsupported_parameter', 'prediction'],
    ['drafts that nothing checks', unchecked({ drafts: ['lookup'] }), 'unsupported_parameter', 'decoding.drafts'],
    ['strange drafts', { ...chat, decoding: { drafts: ['guess'] } }, 'invalid_value', 'decoding.drafts.0'],
    [
      'no room for masks',
      { ...chat, decoding: { drafts: ['mask'], block_length: 1 } },
      'invalid_value',
      'decoding.drafts',
    ],
    ['a grammar', { ...chat, grammar: 'root ::= "a"' }, 'unsupported_parameter', 'grammar'],
    ['reasoning of the wrong type', { ...chat, reasoning_effort: 5 }, 'invalid_type', 'reasoning_effort'],
    ['max_tokens 0', { ...chat, max_tokens: 0 }, 'invalid_value', 'max_tokens'],
    [
      'max_completion_tokens below -1',
      { ...chat, max_completion_tokens: -2 },
      'invalid_value',
      'max_completion_tokens',
    ],
    ['two limits', { ...chat, max_tokens: 1, max_completion_tokens: 2 }, 'invalid_value', 'max_completion_tokens'],
    ['top_logprobs alone', { ...chat, top_logprobs: 2 }, 'invalid_value', 'top_logprobs'],
    ['21 top_logprobs', { ...chat, logprobs: true, top_logprobs: 21 }, 'invalid_value', 'top_logprobs'],
    ['logprobs as a number', { ...chat, logprobs: 1 }, 'invalid_type', 'logprobs'],
    ['n 0', { ...chat, n: 0 }, 'invalid_value', 'n'],
    ['a prompt', { ...chat, prompt: 'a' }, 'unsupported_parameter', 'prompt'],
    ['mirostat', { ...chat, mirostat: 2 }, 'unsupported_parameter', 'mirostat'],
    ['messages that do not fit', user('x'.repeat(5000)), 'context_length_exceeded', 'prompt'],
    ['messages that nobody need tokenize', user('x'.repeat(20_000)), 'context_length_exceeded', 'messages'],
  ],
  '/v1/edit/completions': [
    ['nothing', {}, 'missing_required_parameter', 'code'],
    ['both forms', { ...edit, ...chat }, 'invalid_value', 'code'],
    ['a message without tags', chat, 'invalid_value', 'messages.0.content'],
    ['no user message', { messages: [{ role: 'system', content: 'a' }] }, 'invalid_value', 'messages.0.content'],
    ['a region with messages', { ...chat, region: { start: 0, end: 1 } }, 'invalid_value', 'region'],
    ['a region of text', { ...edit, region: 'all' }, 'invalid_type', 'region'],
    ['a region without an end', { ...edit, region: { start: 0 } }, 'missing_required_parameter', 'region.end'],
    ['a negative region', { ...edit, region: { start: -1, end: 1 } }, 'invalid_value', 'region.start'],
    ['an unknown setting', { ...edit, settings: { x: 1 } }, 'unknown_parameter', 'settings.x'],
    ['a setting out of bounds', { ...edit, settings: { tau_edit: 2 } }, 'invalid_value', 'settings.tau_edit'],
    [
      'a form of the answer',
      { ...edit, response_format: { type: 'json_object' } },
      'unsupported_parameter',
      'response_format',
    ],
    ['diffusing without a stream', { ...edit, diffusing: true }, 'invalid_value', 'diffusing'],
  ],
  '/completion': [
    ['no prompt', {}, 'missing_required_parameter', 'prompt'],
    ['several prompts', { prompt: ['a', 'b'] }, 'unsupported_parameter', 'prompt'],
    ['n_predict as text', { prompt: 'a', n_predict: '5000' }, 'invalid_type', 'n_predict'],
    ['n_predict -2', { prompt: 'a', n_predict: -2 }, 'invalid_value', 'n_predict'],
    ['a grammar', { prompt: 'a', grammar: 'root ::= "a"' }, 'unsupported_parameter', 'grammar'],
    ['n_probs', { prompt: 'a', n_probs: 3 }, 'unsupported_parameter', 'n_probs'],
    ['a repeat penalty below 0', { prompt: 'a', repeat_penalty: -1.1 }, 'invalid_value', 'repeat_penalty'],
    ['ignore_eos', { prompt: 'a', ignore_eos: true }, 'unsupported_parameter', 'ignore_eos'],
    ['17 at once', { prompt: 'a', n_cmpl: 17 }, 'invalid_value', 'n_cmpl'],
    ['a sampler that is not here', { prompt: 'a', typical_p: 0.5 }, 'unsupported_parameter', 'typical_p'],
  ],
  '/infill': [
    ['no suffix', { input_prefix: 'a' }, 'missing_required_parameter', 'input_suffix'],
    ['no prefix', { input_suffix: 'a' }, 'missing_required_parameter', 'input_prefix'],
    [
      'extra without a text',
      { ...infill, input_extra: [{ filename: 'a' }] },
      'missing_required_parameter',
      'input_extra.0.text',
    ],
    ['a negative time', { ...infill, t_max_predict_ms: -1 }, 'invalid_value', 't_max_predict_ms'],
    ['n_predict that is a fraction', { ...infill, n_predict: 1.5 }, 'invalid_type', 'n_predict'],
    ['a prompt of ids', { ...infill, prompt: [1] }, 'invalid_type', 'prompt'],
  ],
  '/tokenize': [
    ['no content', {}, 'missing_required_parameter', 'content'],
    ['parse_special as text', { content: 'a', parse_special: 'no' }, 'invalid_type', 'parse_special'],
    ['add_special as text', { content: 'a', add_special: 'no' }, 'invalid_type', 'add_special'],
  ],
  '/detokenize': [
    ['no tokens', {}, 'missing_required_parameter', 'tokens'],
    ['a text', { tokens: 'a' }, 'invalid_type', 'tokens'],
    ['a negative id', { tokens: [-1] }, 'invalid_type', 'tokens'],
    ['an id outside the vocabulary', { tokens: [1000] }, 'invalid_value', 'tokens'],
  ],
};

describe.each(Object.keys(TABLES))('%s refuses', (path) => {
  test.each(TABLES[path] ?? [])('%s', async (_name, body, code, param) => {
    const { post, engine } = fakeApp({ config: FAKE_CODER, totalTokens: 4096 });
    const { status, json } = await post(body, path);
    expect([status, json.error.code, json.error.param]).toEqual([400, code, param]);
    expect(json.error.type).toBe('invalid_request_error');
    expect(json.error.message).toMatch(/\S{2,}/);
    expect(engine.model.freeTokens).toBe(engine.model.maxTokens);
  });

  test.each([
    ['an array', '[]', 400, 'invalid_type'],
    ['no JSON', '{', 400, 'invalid_json'],
  ])('%s', async (_name, body, status, code) => {
    const answer = await fakeApp().postRaw(body, { 'content-type': 'application/json' }, path);
    expect([answer.status, answer.json.error.code]).toEqual([status, code]);
  });

  test('another method', async () => {
    const answer = await fakeApp().ask(path);
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST']);
  });
});

test.each(['/v1/fim/completions', '/v1/chat/completions', '/v1/edit/completions', '/completion', '/infill'])(
  '%s knows only its own model',
  async (path) => {
    const body = { '/v1/fim/completions': fim, '/v1/chat/completions': chat, '/v1/edit/completions': edit }[path] ?? {
      ...(path === '/infill' ? infill : { prompt: 'a' }),
    };
    const { status, json } = await fakeApp({ config: FAKE_CODER }).post({ ...body, model: 'gpt-5' }, path);
    expect([status, json.error.code]).toEqual([404, 'model_not_found']);
    expect((await fakeApp({ config: FAKE_CODER }).post({ ...body, model: '' }, path)).status).toBe(200);
  },
);
