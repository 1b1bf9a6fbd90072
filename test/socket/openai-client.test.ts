import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FAIL_LATE, FAKE_CACHED_TOKENS, NO_ROOM_NOW, TOO_MANY } from '../support/engines/fake-engine.ts';
import { HOSTS, type SocketHost } from '../support/hosts/socket-hosts.ts';

describe.each(HOSTS)('the openai client against %s', (_name, start) => {
  let host: SocketHost;
  let client: OpenAI;
  beforeAll(async () => {
    host = await start();
    client = new OpenAI({ baseURL: new URL('/v1', host.url).href, apiKey: 'none', maxRetries: 0 });
  });
  afterAll(() => host?.stop());

  test('completes in one body', async () => {
    const completion = await client.completions.create({ model: 'fake', prompt: 'abc', max_tokens: 5 });
    expect(completion.choices[0]).toEqual({ text: ' 0 1 2 3 4', index: 0, logprobs: null, finish_reason: 'length' });
    expect(completion.usage).toEqual({
      prompt_tokens: 3,
      completion_tokens: 5,
      total_tokens: 8,
      prompt_tokens_details: { cached_tokens: FAKE_CACHED_TOKENS },
    });
  });

  test('streams block by block', async () => {
    const stream = await client.completions.create({ model: 'fake', prompt: 'abc', max_tokens: 12, stream: true });
    const arrivals: number[] = [];
    let text = '';
    let reason: string | null = null;
    for await (const chunk of stream) {
      arrivals.push(performance.now());
      text += chunk.choices[0]?.text ?? '';
      reason = chunk.choices[0]?.finish_reason ?? reason;
    }
    expect(text).toBe(' 0 1 2 3 4 5 6 7 8 9 10 11');
    expect(reason).toBe('length');
    expect(arrivals).toHaveLength(4);
    // Two more blocks of four 25 ms steps: a stream held back anywhere would come in one piece.
    expect(arrivals.at(-1)! - arrivals[0]!).toBeGreaterThan(100);
  });

  test('gets usage at the end when it asks', async () => {
    const stream = await client.completions.create({
      model: 'fake',
      prompt: 'abc',
      max_tokens: 4,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks: OpenAI.Completion[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks.at(-1)?.choices).toEqual([]);
    expect(chunks.at(-1)?.usage?.total_tokens).toBe(7);
  });

  test('throws typed errors', async () => {
    const ask = (body: object) => client.completions.create({ model: 'fake', prompt: 'abc', ...body });
    await expect(ask({ max_tokens: 0 })).rejects.toMatchObject({
      status: 400,
      param: 'max_tokens',
      code: 'invalid_value',
    });
    await expect(ask({ model: 'other' })).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    await expect(ask({ prompt: NO_ROOM_NOW })).rejects.toMatchObject({ status: 503, code: 'overloaded' });
    const busy = await ask({ prompt: TOO_MANY }).catch((error: unknown) => error);
    expect(busy).toBeInstanceOf(OpenAI.RateLimitError);
    expect(busy).toMatchObject({ status: 429, type: 'requests', code: 'rate_limit_exceeded' });
  });

  test('throws the error inside a stream, after the text before it', async () => {
    const stream = await client.completions.create({ model: 'fake', prompt: FAIL_LATE, stream: true });
    let text = '';
    const reading = (async () => {
      for await (const chunk of stream) text += chunk.choices[0]?.text;
    })();
    await expect(reading).rejects.toMatchObject({ code: 'internal_error', type: 'server_error' });
    expect(text).toBe(' 0 1 2 3');
  });

  test('lists the model', async () => {
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual(['fake']);
  });

  test('a body of 10 MB is refused and the host goes on', async () => {
    const prompt = 'x'.repeat(10 * 1024 * 1024);
    await expect(client.completions.create({ model: 'fake', prompt })).rejects.toMatchObject({ status: 413 });
    expect((await client.models.list()).data).toHaveLength(1);
  });
});
