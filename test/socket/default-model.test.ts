/** The Worker as `npm run dev` starts it, on the shipped weights, over a real socket. */
import OpenAI from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Isolate, startIsolate } from '../bench/workerd.ts';
import { completeGreedily, openEngine } from '../support/engine.ts';

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
  expect(kv_tokens).toEqual({ free: 1024, total: 1024 });
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
  expect((await health()).kv_tokens.free).toBeLessThan(200);
  controller.abort();
  await expect.poll(async () => (await health()).kv_tokens.free, { timeout: 10_000 }).toBe(1024);
});
