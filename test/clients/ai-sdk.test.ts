/** The npm packages `@ai-sdk/openai-compatible` and `ai`, as they come. */
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, generateText, streamText } from 'ai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FAIL_LATE } from '../support/engines/fake-engine.ts';
import { ClientHost, ENDLESS } from '../support/hosts/client-host.ts';
import { EDITOR_KEY } from '../support/hosts/client-service.ts';

let host: ClientHost;
let provider: ReturnType<typeof providerWith>;

function providerWith(apiKey: string) {
  return createOpenAICompatible({ name: 'seedling', baseURL: host.v1, apiKey, includeUsage: true });
}

beforeAll(async () => {
  host = await ClientHost.start();
  provider = providerWith(EDITOR_KEY);
});
afterAll(() => host?.stop());

async function collect(stream: AsyncIterable<string>): Promise<string[]> {
  const pieces: string[] = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces;
}

const once = { maxRetries: 0, onError: () => {} };

describe('@ai-sdk/openai-compatible', () => {
  test('complete: text, finish reason and usage', async () => {
    const { text, finishReason, usage } = await generateText({
      model: provider.completionModel('fake'),
      prompt: 'sort it',
      maxOutputTokens: 4,
      maxRetries: 0,
    });
    expect([text, finishReason]).toEqual([' 0 1 2 3', 'length']);
    expect(usage.outputTokens).toBe(4);
    // The package makes a dialogue of every prompt.
    const { prompt, stop } = await host.lastRequest();
    expect(prompt).toBe('user:\nsort it\n\nassistant:\n');
    expect(stop).toEqual(['\nuser:']);
  });

  test('infill: suffix goes through providerOptions', async () => {
    const { text } = await generateText({
      model: provider.completionModel('fake'),
      prompt: 'let a = ',
      maxOutputTokens: 2,
      providerOptions: { seedling: { suffix: ';\n', decoding: { block_length: 1 } } },
      maxRetries: 0,
    });
    expect(text).toBe(' 0 1');
    expect(await host.lastRequest()).toMatchObject({ suffix: ';\n', decoding: { blockLength: 1 } });
  });

  test('stream: pieces, finish reason and usage', async () => {
    const result = streamText({ model: provider.completionModel('fake'), prompt: 'a', maxOutputTokens: 8, ...once });
    const pieces = await collect(result.textStream);
    expect(pieces.filter((piece) => piece !== '')).toEqual([' 0 1 2 3', ' 4 5 6 7']);
    expect(await result.finishReason).toBe('length');
    expect((await result.usage).outputTokens).toBe(8);
  });

  test('chat: a message, and the same in a stream', async () => {
    const asked = { model: provider.chatModel('fake'), system: 'You code.', prompt: 'sort it', maxOutputTokens: 8 };
    const whole = await generateText({ ...asked, maxRetries: 0 });
    expect([whole.text, whole.finishReason]).toEqual([' 0 1 2 3 4 5 6 7', 'length']);
    const streamed = streamText({ ...asked, ...once });
    expect((await collect(streamed.textStream)).join('')).toBe(whole.text);
    expect(await streamed.finishReason).toBe('length');
    // The template's text, in token ids: the fake tokenizer's are character codes.
    const ids = Object.values((await host.lastRequest()).prompt as unknown as Record<string, number>);
    expect(String.fromCharCode(...ids)).toBe('<system>You code.</s><user>sort it</s><assistant>');
  });

  test('cancel: an abort frees the cache', async () => {
    const controller = new AbortController();
    const { textStream } = streamText({
      model: provider.completionModel('fake'),
      prompt: 'a',
      maxOutputTokens: ENDLESS,
      abortSignal: controller.signal,
      ...once,
    });
    const reader = textStream.getReader();
    expect((await reader.read()).value).toBe(' 0 1 2 3');
    await host.expectHeld();
    controller.abort();
    await host.expectFreed();
  });

  test('error: the message comes through, before a stream and inside it', async () => {
    const asked = { model: provider.completionModel('fake'), prompt: 'a', maxRetries: 0 };
    const refused = await generateText({ ...asked, topP: 2 }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(APICallError);
    expect(refused).toMatchObject({ statusCode: 400, message: expect.stringContaining("'top_p'") });

    const errors: unknown[] = [];
    const late = streamText({
      model: provider.completionModel('fake'),
      prompt: FAIL_LATE,
      maxRetries: 0,
      onError: ({ error }) => void errors.push(error),
    });
    expect((await collect(late.textStream)).join('')).toBe(' 0 1 2 3');
    expect(errors).toEqual([expect.objectContaining({ code: 'internal_error', type: 'server_error' })]);
  });

  test('key: a wrong one is an error with its reason', async () => {
    const model = providerWith('sk-seedling-nobody').chatModel('fake');
    const refused = await generateText({ model, prompt: 'a', maxRetries: 0 }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ statusCode: 401, message: 'Incorrect API key provided.' });
  });
});
