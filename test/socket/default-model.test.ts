/** The Worker as `npm run dev` starts it, on the shipped weights, over a real socket. */
import OpenAI from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Isolate, startIsolate } from '../../bench/workerd.ts';
import { completeGreedily, openEngine } from '../support/engines/engine.ts';

const PROMPT = 'function isPrime(n) {\n';
let isolate: Isolate;

beforeAll(async () => {
  isolate = await startIsolate();
}, 60_000);
afterAll(() => isolate.stop());

async function health(): Promise<{ kv_tokens: { free: number; total: number }; memory_bytes: { total: number } }> {
  return (await fetch(new URL('/health', isolate.url))).json() as ReturnType<typeof health>;
}

test('streams in pieces what the Node engine writes, then its memory is free again', async () => {
  const client = new OpenAI({ baseURL: new URL('/v1', isolate.url).href, apiKey: 'none', maxRetries: 0 });
  const stream = await client.completions.create({
    model: 'seedling-135m',
    prompt: PROMPT,
    max_tokens: 24,
    temperature: 0,
    stream: true,
    stream_options: { include_usage: true },
  });
  const pieces: string[] = [];
  let usage: OpenAI.CompletionUsage | undefined;
  for await (const chunk of stream) {
    if (chunk.choices[0]?.text) pieces.push(chunk.choices[0].text);
    usage = chunk.usage ?? usage;
  }
  expect(pieces.length).toBeGreaterThan(1);

  const engine = await openEngine('seedling-135m');
  const settings = { maxTokens: 24, blockLength: 8, threshold: 0.9, verify: true };
  const { text, tokens } = await completeGreedily(engine, PROMPT, settings);
  expect(usage?.completion_tokens).toBe(tokens);
  expect(pieces.join('')).toBe(text);

  const { kv_tokens, memory_bytes } = await health();
  expect(kv_tokens).toEqual({ free: 2048, total: 2048 });
  expect(memory_bytes.total).toBeLessThanOrEqual(112 * 1024 * 1024);
});

test('the isolate stays within its memory', async () => {
  const { heap, buffers } = await isolate.memory();
  const { memory_bytes } = await health();
  expect(memory_bytes.total + heap + buffers).toBeLessThan(124 * 1024 * 1024);
});

test('a disconnect in the middle of a stream gives the memory back', async () => {
  const controller = new AbortController();
  const response = await fetch(new URL('/v1/completions', isolate.url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ prompt: PROMPT, max_tokens: 900, stream: true, decoding: { block_length: 1 } }),
    signal: controller.signal,
  });
  await response.body?.getReader().read();
  expect((await health()).kv_tokens.free).toBeLessThan(2048);
  controller.abort();
  await expect.poll(async () => (await health()).kv_tokens.free, { timeout: 10_000 }).toBe(2048);
});

test('answers a chat up to the end of its message, and knows how probable what it wrote is', async () => {
  const client = new OpenAI({ baseURL: new URL('/v1', isolate.url).href, apiKey: 'none', maxRetries: 0 });
  const { choices, usage } = await client.chat.completions.create({
    model: 'seedling-135m',
    messages: [{ role: 'user', content: 'Say hello.' }],
    max_tokens: 16,
    logprobs: true,
    top_logprobs: 2,
  });
  expect(choices[0]?.message.content).not.toContain('<|im_end|>');
  expect(choices[0]?.logprobs?.content?.length).toBe(usage?.completion_tokens);

  const made = await client.completions.create({ model: 'seedling-135m', prompt: PROMPT, max_tokens: 8, logprobs: 1 });
  const text = made.choices[0]?.text ?? '';
  const judged = { model: 'seedling-135m', prompt: PROMPT + text, max_tokens: 0, echo: true, logprobs: 1 };
  const echoed = (await client.completions.create(judged)).choices[0]?.logprobs;
  const own = made.choices[0]?.logprobs;
  // The prompt's line break is the beginning of the first token.
  const [first = '', ...others] = own?.tokens ?? [];
  expect(echoed?.tokens?.slice(-8)).toEqual([`\n${first}`, ...others]);
  for (const [i, value] of (own?.token_logprobs ?? []).entries()) {
    expect(echoed?.token_logprobs?.at(i - 8)).toBeCloseTo(value, 2);
  }
  // Greedy: the most probable one is the one that was written.
  expect(own?.top_logprobs?.map((top) => Object.keys(top))).toEqual(own?.tokens?.map((token) => [token]));
  expect((await health()).kv_tokens).toEqual({ free: 2048, total: 2048 });
});

test('fills a hole for llama.vscode, and finds in the cache what it was warmed with', async () => {
  const ask = async (path: string, body: object) => {
    const response = await fetch(new URL(path, isolate.url), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(response.status).toBe(200);
    // biome-ignore lint/suspicious/noExplicitAny: assertions say what it must be
    return (await response.json()) as any;
  };
  const extra = Array.from({ length: 12 }, (_, i) => `export const value${i} = ${i};`).join('\n');
  const shared = { input_extra: [{ text: extra, filename: 'values.js' }], samplers: [], cache_prompt: true };
  const warm = await ask('/infill', { ...shared, input_prefix: '', input_suffix: '', prompt: '', n_predict: 0 });
  expect(warm).toMatchObject({ content: '', tokens_predicted: 0 });
  const hole = { input_prefix: 'function sum(a, b) {\n', input_suffix: '\n}\n', prompt: '  return ', n_predict: 8 };
  const filled = await ask('/infill', { ...shared, ...hole, t_max_predict_ms: 60_000 });
  expect(filled.tokens_cached).toBeGreaterThan(50);
  expect(filled.stop).toBe(true);
  expect((await ask('/detokenize', await ask('/tokenize', { content: extra }))).content).toBe(extra);
});
