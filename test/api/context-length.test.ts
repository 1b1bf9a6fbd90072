/** A prompt that is too long: every route says so in OpenAI's sentence, by which clients know when to send less. */
import { expect, test } from 'vitest';
import { createHost } from '../../src/api/host.ts';
import { Engine } from '../../src/engine/engine.ts';
import { LIMITS } from '../engine/requests.ts';
import { ByteTokenizer } from '../support/engines/byte-tokenizer.ts';
import { FakeModel } from '../support/engines/fake-model.ts';
import { openApp } from '../support/hosts/open-app.ts';

const CONTEXT = 64;
const LONG = 'x'.repeat(64);
const IDS = Array.from(LONG, () => 120);
const SENTENCE =
  /^This model's maximum context length is 64 tokens\. However, you requested (\d+) tokens \((\d+) in the prompt, (\d+) in the completion\)\. Please reduce the length of the prompt or completion\.$/;

const chatTemplate = {
  template: '{% for message in messages %}{{ message.content }}{% endfor %}',
  bosToken: '',
  eosToken: '',
};

async function refusal(path: string, body: object) {
  const model = new FakeModel({ poolTokens: CONTEXT, config: { chatTemplate } });
  const engine = new Engine(model, new ByteTokenizer(), LIMITS);
  const settings = { maxTokens: 1000, bodyLimitBytes: 1 << 20, unknownFields: 'ignore' as const };
  const app = openApp(createHost({ modelName: 'fake', settings, load: async () => engine }));
  const headers = { 'content-type': 'application/json' };
  const response = await app.request(path, { method: 'POST', headers, body: JSON.stringify(body) });
  expect(model.freeTokens).toBe(model.maxTokens);
  expect(engine.queue.running).toBe(0);
  return { status: response.status, error: ((await response.json()) as { error: { message: string } }).error };
}

const messages = (content: string) => [{ role: 'user', content }];

test.each([
  ['/v1/completions', { prompt: LONG, max_tokens: 3 }, 64, 3],
  ['/v1/completions', { prompt: IDS, max_tokens: 3 }, 64, 3],
  ['/v1/completions', { prompt: [...IDS, ...IDS], max_tokens: 1, echo: true }, 128, 1],
  ['/v1/completions', { prompt: LONG, max_tokens: 3, stream: true }, 64, 3],
  ['/v1/chat/completions', { messages: messages(LONG), max_tokens: 3 }, 64, 3],
  ['/v1/chat/completions', { messages: messages(LONG), max_completion_tokens: 3, stream: true }, 64, 3],
  ['/v1/chat/completions', { messages: messages(LONG), max_tokens: 3, n: 2 }, 64, 3],
  ['/v1/chat/completions', { messages: messages(LONG) }, 64, 1],
  ['/v1/fim/completions', { prompt: LONG, max_tokens: 3 }, 64, 3],
  ['/completion', { prompt: LONG, n_predict: 3 }, 64, 3],
  ['/completion', { prompt: IDS, n_predict: 3 }, 64, 3],
])('%s', async (path, body, prompt, completion) => {
  const { status, error } = await refusal(path, body);
  expect([status, error]).toMatchObject([
    400,
    { type: 'invalid_request_error', code: 'context_length_exceeded', param: 'prompt' },
  ]);
  expect(SENTENCE.exec(error.message)?.slice(1)).toEqual([prompt + completion, prompt, completion].map(String));
});

test.each([1, 3, 64, 999])('a chat and a completion of as many tokens have the same error: %d', async (max_tokens) => {
  const prompt = LONG.padEnd(64, 'y');
  const chat = await refusal('/v1/chat/completions', { messages: messages(prompt), max_tokens });
  expect(chat).toEqual(await refusal('/v1/completions', { prompt, max_tokens }));
  expect(chat.status).toBe(400);
});

test('what is too long to be tokenized begins with the same words', async () => {
  for (const [path, body] of [
    ['/v1/completions', { prompt: LONG.repeat(3) }],
    ['/v1/chat/completions', { messages: messages(LONG.repeat(3)) }],
  ] as const) {
    const { status, error } = await refusal(path, body);
    expect([status, error]).toMatchObject([400, { code: 'context_length_exceeded' }]);
    expect(error.message).toMatch(/^This model's maximum context length is 64 tokens\. However, /);
  }
});
