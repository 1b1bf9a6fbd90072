import { describe, expect, test } from 'vitest';
import { FAKE_CODER } from '../support/engines/fake-engine.ts';
import { fakeApp, messages } from '../support/hosts/fake-app.ts';

const PATH = '/v1/chat/completions';
const hello = { messages: [{ role: 'user', content: 'hello' }] };
const PROMPT = '<user>hello</s><assistant>';

/** What the fake tokenizer makes of a text. */
const ids = (text: string) => Int32Array.from(text, (character) => character.charCodeAt(0));

test('one body', async () => {
  const { post, engine } = fakeApp({ config: FAKE_CODER });
  const { status, json } = await post({ ...hello, max_tokens: 3, seed: 1 }, PATH);
  expect(status).toBe(200);
  expect(json).toMatchObject({
    id: expect.stringMatching(/^chatcmpl-/),
    object: 'chat.completion',
    model: 'fake',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: ' 0 1 2', refusal: null },
        logprobs: null,
        finish_reason: 'length',
      },
    ],
    usage: { prompt_tokens: PROMPT.length, completion_tokens: 3 },
  });
  expect(engine.requests[0]?.prompt).toEqual(ids(PROMPT));
});

test('a stream: the role first, then text, then a finish reason without any', async () => {
  const { post } = fakeApp({ config: FAKE_CODER });
  const body = { ...hello, max_tokens: 6, n: 2, stream: true, stream_options: { include_usage: true } };
  const all = messages((await post(body, PATH)).text);
  expect(all.pop()).toBe('[DONE]');
  expect(all.pop()).toMatchObject({ choices: [], usage: { completion_tokens: 12, prompt_tokens: PROMPT.length } });
  for (const index of [0, 1]) {
    const own = all.map((chunk) => chunk.choices[0]).filter((choice) => choice.index === index);
    expect(own[0].delta).toEqual({ role: 'assistant', content: '' });
    expect(own.map(({ delta }) => delta.content ?? '').join('')).toBe(' 0 1 2 3 4 5');
    expect(own.filter(({ finish_reason }) => finish_reason)).toEqual([own.at(-1)]);
    expect(own.at(-1).delta).toEqual({});
  }
  expect(all.every(({ object }) => object === 'chat.completion.chunk')).toBe(true);
});

test('log-probabilities, with alternatives as many as were asked for', async () => {
  const { post, engine } = fakeApp({ config: FAKE_CODER });
  const { json } = await post({ ...hello, max_tokens: 1, seed: 0, logprobs: true, top_logprobs: 3 }, PATH);
  const entry = { token: ' 0', logprob: Math.log(0.1), bytes: [32, 48] };
  expect(json.choices[0].logprobs).toEqual({ content: [{ ...entry, top_logprobs: [entry] }], refusal: null });
  expect(engine.requests[0]?.logprobs).toEqual({ alternatives: 3, prompt: false });
});

test('steps are chunks that say nothing', async () => {
  const { post } = fakeApp({ config: FAKE_CODER });
  const all = messages((await post({ ...hello, max_tokens: 4, stream: true, diffusing: true }, PATH)).text);
  const steps = all.filter(({ diffusing }) => diffusing);
  expect(steps).toHaveLength(4);
  expect(steps.every(({ choices }) => Object.keys(choices[0].delta).length === 0)).toBe(true);
});

describe('messages', () => {
  test.each([
    [
      'all roles',
      [
        { role: 'developer', content: 'a' },
        { role: 'assistant', content: 'b' },
      ],
      '<system>a</s><assistant>b</s><assistant>',
    ],
    [
      'parts',
      [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'a' },
            { type: 'text', text: 'b' },
          ],
        },
      ],
      '<user>ab</s><assistant>',
    ],
    ['nothing said', [{ role: 'user', content: '' }], '<user></s><assistant>'],
    ['a name, and no tools', [{ role: 'user', content: 'a', name: 'b', tool_calls: [] }], '<user>a</s><assistant>'],
  ])('%s', async (_name, list, prompt) => {
    const { post, engine } = fakeApp({ config: FAKE_CODER });
    expect((await post({ messages: list }, PATH)).status).toBe(200);
    expect(engine.requests[0]?.prompt).toEqual(ids(prompt));
  });

  test('a model without a template does not chat', async () => {
    const { json, status } = await fakeApp().post(hello, PATH);
    expect([status, json.error.code, json.error.param]).toEqual([400, 'unsupported_model', 'messages']);
  });
});

test.each([
  [{ max_tokens: 5 }, 5],
  [{ max_completion_tokens: 6 }, 6],
  [{ max_tokens: -1 }, 256],
  [{}, 256],
])('%j', async (fields, expected) => {
  const { post, engine } = fakeApp({ config: FAKE_CODER });
  expect((await post({ ...hello, ...fields }, PATH)).status).toBe(200);
  expect(engine.requests[0]?.maxTokens).toBe(expected);
});

test('without a limit an answer takes what a long prompt leaves', async () => {
  const { post, engine } = fakeApp({ config: FAKE_CODER, totalTokens: 100 });
  const content = 'x'.repeat(70 - PROMPT.length + 'hello'.length);
  expect((await post({ messages: [{ role: 'user', content }] }, PATH)).status).toBe(200);
  expect(engine.requests[0]?.maxTokens).toBe(30);
});
