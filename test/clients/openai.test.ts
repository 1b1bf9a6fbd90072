/** The npm package `openai`, as it comes. */
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FAIL_LATE, NO_ROOM_NOW } from '../support/engines/fake-engine.ts';
import { ClientHost, ENDLESS } from '../support/hosts/client-host.ts';
import { EDITOR_KEY } from '../support/hosts/client-service.ts';

let host: ClientHost;
let client: OpenAI;
beforeAll(async () => {
  host = await ClientHost.start();
  client = new OpenAI({ baseURL: host.v1, apiKey: EDITOR_KEY, maxRetries: 0 });
});
afterAll(() => host?.stop());

const messages = [{ role: 'user' as const, content: 'sort it' }];

describe('openai', () => {
  test('complete: text, finish reason and usage', async () => {
    const { choices, usage } = await client.completions.create({ model: 'fake', prompt: 'abc', max_tokens: 3 });
    expect(choices).toEqual([{ index: 0, text: ' 0 1 2', logprobs: null, finish_reason: 'length' }]);
    expect(usage).toMatchObject({ prompt_tokens: 3, completion_tokens: 3, total_tokens: 6 });
  });

  test('infill: suffix is what stands behind the hole', async () => {
    await client.completions.create({ model: 'fake', prompt: 'let a = ', suffix: ';\n', max_tokens: 4 });
    expect(await host.lastRequest()).toMatchObject({ prompt: 'let a = ', suffix: ';\n', maxTokens: 4 });
  });

  test('stream: pieces, a finish reason, and usage where it was asked for', async () => {
    const stream = await client.completions.create({
      model: 'fake',
      prompt: 'abc',
      max_tokens: 8,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks: OpenAI.Completion[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks.map(({ choices }) => choices[0]?.text)).toEqual([' 0 1 2 3', ' 4 5 6 7', '', undefined]);
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('length');
    expect(chunks.at(-1)?.usage?.completion_tokens).toBe(8);
  });

  test('chat: a message, and the same in a stream', async () => {
    const whole = await client.chat.completions.create({ model: 'fake', messages, max_completion_tokens: 4 });
    expect(whole.choices[0]?.message).toEqual({ role: 'assistant', content: ' 0 1 2 3', refusal: null });
    const stream = client.chat.completions.stream({
      model: 'fake',
      messages,
      max_completion_tokens: 8,
      stream_options: { include_usage: true },
    });
    // The package puts the message together itself, and throws where chunks do not allow it.
    const final = await stream.finalChatCompletion();
    expect(final.choices[0]?.message.content).toBe(' 0 1 2 3 4 5 6 7');
    expect(final.choices[0]?.finish_reason).toBe('length');
    expect(final.usage?.completion_tokens).toBe(8);
  });

  test('cancel: leaving the loop frees the cache', async () => {
    const stream = await client.completions.create({ model: 'fake', prompt: 'a', max_tokens: ENDLESS, stream: true });
    for await (const chunk of stream) {
      expect(chunk.choices[0]?.text).toBe(' 0 1 2 3');
      await host.expectHeld();
      break;
    }
    await host.expectFreed();
  });

  test('error: typed, with the field; and in a stream after its text', async () => {
    const ask = (body: object) => client.completions.create({ model: 'fake', prompt: 'abc', ...body });
    await expect(ask({ temperature: 3 })).rejects.toMatchObject({ status: 400, param: 'temperature' });
    await expect(ask({ model: 'gpt-4' })).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    await expect(ask({ prompt: NO_ROOM_NOW })).rejects.toBeInstanceOf(OpenAI.InternalServerError);
    const stream = await client.completions.create({ model: 'fake', prompt: FAIL_LATE, stream: true });
    let text = '';
    const reading = (async () => {
      for await (const chunk of stream) text += chunk.choices[0]?.text;
    })();
    await expect(reading).rejects.toMatchObject({ type: 'server_error', code: 'internal_error' });
    expect(text).toBe(' 0 1 2 3');
  });

  test('key: a wrong one is an AuthenticationError with a reason', async () => {
    const stranger = new OpenAI({ baseURL: host.v1, apiKey: 'sk-seedling-nobody', maxRetries: 0 });
    const refused = await stranger.completions
      .create({ model: 'fake', prompt: 'a' })
      .catch((error: unknown) => error as InstanceType<typeof OpenAI.AuthenticationError>);
    expect(refused).toBeInstanceOf(OpenAI.AuthenticationError);
    expect(refused).toMatchObject({ code: 'invalid_api_key', requestID: expect.any(String) });
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual(['fake']);
  });
});
