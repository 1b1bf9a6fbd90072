/** OpenAI's predicted outputs, and what an answer says of drafts, over the real engine. */
import { describe, expect, test } from 'vitest';
import { createHost } from '../../src/api/host.ts';
import { Engine } from '../../src/engine/engine.ts';
import type { TextKind } from '../../src/engine/tokenizer/tokenizer.ts';
import { ByteTokenizer, EOS } from '../support/engines/byte-tokenizer.ts';
import { FAKE_CODER } from '../support/engines/fake-engine.ts';
import { FakeModel } from '../support/engines/fake-model.ts';
import { messages } from '../support/hosts/fake-app.ts';
import { openApp } from '../support/hosts/open-app.ts';

const TEXT = 'const total = items.reduce((sum, item) => sum + item.price, 0);\n';
const PROMPT = 'let x';
const CHAT_PROMPT = '<user>Go on.</s><assistant>';

class NotingTokenizer extends ByteTokenizer {
  readonly kinds = new Map<string, TextKind>();

  override encode(text: string, kind?: TextKind): Int32Array {
    if (kind) this.kinds.set(text, kind);
    return super.encode(text);
  }
}

function setUp(text = TEXT, promptTokens = PROMPT.length) {
  const bytes = new TextEncoder().encode(text);
  const model = new FakeModel({
    config: { chatTemplate: FAKE_CODER.chatTemplate },
    next: (prefix) => bytes[prefix.length - promptTokens] ?? EOS,
    costs: { source: 'measured', positions: [1, 64], costs: [1, 3] },
  });
  const tokenizer = new NotingTokenizer();
  const engine = new Engine(model, tokenizer, { concurrency: 16, waiting: 32, seconds: 30 });
  const settings = { maxTokens: 1000, bodyLimitBytes: 65_536, unknownFields: 'ignore' as const };
  const app = openApp(createHost({ modelName: 'fake', settings, load: async () => engine }));
  const post = (path: string, body: object) =>
    app.request(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  // biome-ignore lint/suspicious/noExplicitAny: assertions say what it must be
  const json = async (path: string, body: object): Promise<any> => (await post(path, body)).json();
  return { json, post, tokenizer, model };
}

const complete = { prompt: PROMPT, max_tokens: 200 };
const predicting = (content: unknown) => ({ prediction: { type: 'content', content } });

describe('a prediction', () => {
  test('gives the same text in fewer forwards, and its tokens are counted', async () => {
    const { json } = setUp();
    const without = await json('/v1/completions', { ...complete, decoding: { drafts: [] } });
    const body = await json('/v1/completions', { ...complete, ...predicting(TEXT) });
    expect(body.choices).toEqual(without.choices);
    expect(body.usage).toEqual({
      ...without.usage,
      completion_tokens_details: { accepted_prediction_tokens: TEXT.length, rejected_prediction_tokens: 0 },
    });
    expect(without.usage.completion_tokens_details).toBeUndefined();
    expect(without.seedling.tokens_per_forward).toBeLessThanOrEqual(1.02);
    expect(body.seedling.tokens_per_forward).toBeGreaterThan(3);
    expect(body.seedling.drafts.prediction.held).toBeGreaterThan(30);
    expect(without.seedling.drafts).toBeUndefined();
  });

  test('may come in parts, and counts what the text does not have', async () => {
    const { json } = setUp();
    const parts = [
      { type: 'text', text: TEXT },
      { type: 'text', text: 'and this' },
    ];
    const body = await json('/v1/completions', { ...complete, ...predicting(parts) });
    expect(body.usage.completion_tokens_details).toEqual({
      accepted_prediction_tokens: TEXT.length,
      rejected_prediction_tokens: 'and this'.length,
    });
    expect(body.usage.total_tokens).toBe(body.usage.prompt_tokens + body.usage.completion_tokens);
  });

  test('works in a chat, streamed, and for each of several choices', async () => {
    const { json, post } = setUp(TEXT, CHAT_PROMPT.length);
    const chat = { messages: [{ role: 'user', content: 'Go on.' }], max_tokens: 200, ...predicting(TEXT) };
    const whole = await json('/v1/chat/completions', chat);
    expect(whole.choices[0].message.content).toBe(TEXT);
    expect(whole.usage.completion_tokens_details.accepted_prediction_tokens).toBe(TEXT.length);
    const streamed = await post('/v1/chat/completions', {
      ...chat,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = messages(await streamed.text()).slice(0, -1);
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe(TEXT);
    expect(chunks.at(-1).usage).toEqual({ ...whole.usage, prompt_tokens_details: expect.anything() });
    const two = await json('/v1/chat/completions', { ...chat, n: 2 });
    expect(two.usage.completion_tokens_details.accepted_prediction_tokens).toBe(2 * TEXT.length);
    expect(two.seedling.drafts.prediction.held).toBeGreaterThan(whole.seedling.drafts.prediction.held);
  });

  test('is text alone: what looks like a special token is none, and an empty one says nothing', async () => {
    const { json, tokenizer } = setUp();
    const predicted = `<|endoftext|>${TEXT}`;
    const body = await json('/v1/completions', { ...complete, ...predicting(predicted) });
    expect(tokenizer.kinds.get(predicted)).toBe('content');
    expect(body.choices[0].text).toBe(TEXT);
    const empty = await json('/v1/completions', { ...complete, ...predicting('') });
    expect(empty.usage.completion_tokens_details).toBeUndefined();
  });

  test('of a file with other line breaks is read as the model writes them', async () => {
    const { json } = setUp();
    const body = await json('/v1/completions', { ...complete, ...predicting(TEXT.replace('\n', '\r\n')) });
    expect(body.usage.completion_tokens_details).toEqual({
      accepted_prediction_tokens: TEXT.length,
      rejected_prediction_tokens: 0,
    });
  });

  test('that no context could hold is refused before any work', async () => {
    const { json, model } = setUp();
    const { error } = await json('/v1/completions', { ...complete, ...predicting('x'.repeat(5000)) });
    expect(error).toMatchObject({ code: 'context_length_exceeded', param: 'prediction' });
    expect(model.forwards).toEqual([]);
  });
});

describe('sources of drafts', () => {
  const PERIODIC = 'row(1);\nrow(2);\n'.repeat(8);

  test('are those that were asked for', async () => {
    for (const source of ['prediction', 'lookup', 'mask']) {
      const { json } = setUp(PERIODIC);
      const body = { ...complete, ...predicting(PERIODIC), decoding: { drafts: [source] } };
      const { choices, seedling } = await json('/v1/completions', body);
      expect(choices[0].text).toBe(PERIODIC);
      expect(Object.keys(seedling.drafts)).toEqual([source]);
      expect(seedling.drafts[source].held).toBeLessThanOrEqual(seedling.drafts[source].offered);
    }
  });

  test('are none where a block length of 1 is asked for without them', async () => {
    const { json } = setUp(PERIODIC);
    const body = { ...complete, ...predicting(PERIODIC), decoding: { block_length: 1 } };
    const { seedling, usage } = await json('/v1/completions', body);
    expect(seedling.drafts).toBeUndefined();
    expect(seedling.position_forwards).toBe(seedling.nfe);
    expect(usage.completion_tokens_details.accepted_prediction_tokens).toBe(PERIODIC.length);
    const drafted = await setUp(PERIODIC).json('/v1/completions', {
      ...complete,
      decoding: { block_length: 1, drafts: ['lookup'] },
    });
    expect(drafted.seedling.drafts.lookup.held).toBeGreaterThan(20);
  });

  test("llama.cpp's clients turn drafts off, and see how many were accepted", async () => {
    const llama = { prompt: PROMPT, n_predict: 200 };
    const { timings, content } = await setUp(PERIODIC).json('/completion', llama);
    expect(content).toBe(PERIODIC);
    expect(timings.draft_n).toBeGreaterThanOrEqual(timings.draft_n_accepted);
    expect(timings.draft_n_accepted).toBeGreaterThan(20);
    const off = await setUp(PERIODIC).json('/completion', { ...llama, 'speculative.n_max': 0 });
    expect(off.content).toBe(PERIODIC);
    expect(off.timings.draft_n).toBeUndefined();
  });
});
