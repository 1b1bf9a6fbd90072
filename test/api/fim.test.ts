import { describe, expect, test } from 'vitest';
import { FAKE_CACHED_TOKENS, FAKE_CODER } from '../support/engines/fake-engine.ts';
import { fakeApp, messages } from '../support/hosts/fake-app.ts';

const PATH = '/v1/fim/completions';
const hole = { prompt: 'let a', suffix: ';' };

test('one body: the content as text and as a message', async () => {
  const { post, engine } = fakeApp({ config: FAKE_CODER });
  const { status, json } = await post({ ...hole, model: 'fake', max_tokens: 3, seed: 4 }, PATH);
  expect(status).toBe(200);
  expect(json).toMatchObject({
    id: expect.stringMatching(/^fim-/),
    object: 'text_completion',
    model: 'fake',
    choices: [{ index: 0, text: ' 0 1 2', message: { role: 'assistant', content: ' 0 1 2' }, finish_reason: 'length' }],
    usage: { prompt_tokens: 5, completion_tokens: 3, prompt_tokens_details: { cached_tokens: FAKE_CACHED_TOKENS } },
    seedling: { seed: 4 },
  });
  expect(engine.requests[0]).toMatchObject({ prompt: 'let a', suffix: ';', maxTokens: 3 });
});

test('chunks have the text twice, in the last one too; usage comes with the finish reason', async () => {
  const { post } = fakeApp({ config: FAKE_CODER });
  const all = messages((await post({ ...hole, max_tokens: 6, stream: true }, PATH)).text);
  expect(all.pop()).toBe('[DONE]');
  for (const chunk of all) {
    const [choice] = chunk.choices;
    expect(chunk.choices).toHaveLength(1);
    expect(choice.delta.content).toBe(choice.text);
    expect(choice.index).toBe(0);
  }
  expect(all.map(({ choices }) => choices[0].text).join('')).toBe(' 0 1 2 3 4 5');
  expect(all.at(-1)).toMatchObject({ choices: [{ text: '', finish_reason: 'length' }], usage: { total_tokens: 11 } });
  expect(all.slice(0, -1).every(({ choices }) => choices[0].finish_reason === null)).toBe(true);
});

test('usage has its own chunk only for those who ask', async () => {
  const { post } = fakeApp({ config: FAKE_CODER });
  const asked = { ...hole, max_tokens: 4, stream: true, stream_options: { include_usage: true } };
  const all = messages((await post(asked, PATH)).text);
  expect(all.at(-2)).toMatchObject({ choices: [], usage: { total_tokens: 9 } });
  expect(all.slice(0, -2).every(({ usage }) => usage === null)).toBe(true);
});

test('steps are chunks without text', async () => {
  const { post } = fakeApp({ config: FAKE_CODER });
  const all = messages((await post({ ...hole, max_tokens: 4, stream: true, diffusing: true }, PATH)).text);
  const steps = all.filter(({ diffusing }) => diffusing);
  expect(steps).toHaveLength(4);
  expect(steps.every(({ choices }) => choices[0].text === '' && choices[0].delta.content === '')).toBe(true);
});

describe('the fields of both', () => {
  test.each([
    [
      "Mistral's",
      { temperature: 0.7, random_seed: 3, min_tokens: 0, metadata: { a: 1 } },
      { temperature: 0.7, seed: 3 },
    ],
    [
      "Mercury's",
      { top_k: -1, repetition_penalty: 1, presence_penalty: 1.5, stop: ['\n\n', '\n \n'] },
      { topK: 0, stop: ['\n\n', '\n \n'] },
    ],
    ["Continue's", { stop: Array.from({ length: 12 }, (_, i) => `s${i}`), top_p: 0.9 }, { topP: 0.9 }],
    ['neither', {}, { maxTokens: 128, stop: [], temperature: 0 }],
    ['no suffix', { suffix: null }, { suffix: null }],
    ["Continue's empty suffix", { suffix: '<|endoftext|>' }, { suffix: null }],
  ])('%s', async (_name, fields, expected) => {
    const { post, engine } = fakeApp({ config: FAKE_CODER });
    expect((await post({ ...hole, ...fields }, PATH)).status).toBe(200);
    expect(engine.requests[0]).toMatchObject(expected);
  });
});
