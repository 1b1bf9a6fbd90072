/** Many requests on few pages, over the kernels: what they reuse and who leaves early changes no text and loses no page. */
import { expect, test } from 'vitest';
import { Engine } from '../../src/engine/engine.ts';
import type { WasmModel } from '../../src/model/wasm-model.ts';
import { uniform } from '../../src/sampler/random.ts';
import { ByteTokenizer } from '../support/engines/byte-tokenizer.ts';
import { convertFixture, wasmModel } from '../support/engines/models.ts';
import { collect, request } from './requests.ts';

const REQUESTS = 120;
const source = await convertFixture('tiny-llama', 'int4');

function engineOn(model: WasmModel): Engine {
  return new Engine(model, new ByteTokenizer(), { concurrency: 6, waiting: REQUESTS, seconds: 60 });
}

test.each([1, 2])('seed %i: same texts as alone, no page lost', async (seed) => {
  let draws = 0;
  const random = (below: number) => Math.floor(uniform(seed, draws++) * below);
  // Prompts that begin alike, in a pool of 24 pages.
  const stems = [0, 1, 2].map((stem) => Array.from({ length: 90 }, (_, i) => (i * 31 + stem * (i < 20 ? 0 : 7)) % 256));
  const wanted = Array.from({ length: REQUESTS }, () => ({
    prompt: Int32Array.from([...stems[random(3)]!.slice(0, 1 + random(90)), ...stems[0]!.slice(0, random(4))]),
    maxTokens: 1 + random(30),
    cacheKey: random(5) === 0 ? 'other' : '',
    abortAfter: random(3) === 0 ? random(12) : Number.POSITIVE_INFINITY,
  }));

  const model = await wasmModel(source, 'relaxed-simd', 24 * 8);
  const engine = engineOn(model);
  const alone = engineOn(await wasmModel(source, 'relaxed-simd', 24 * 8));
  let cancelled = 0;
  let cachedTokens = 0;
  let characters = 0;
  await Promise.all(
    wanted.map(async ({ abortAfter, ...overrides }, i) => {
      const abort = new AbortController();
      const events = engine.generate(request(overrides), abort.signal);
      let text = '';
      let seen = 0;
      try {
        for await (const event of events) {
          if (event.type === 'block') text += event.text;
          if (event.type === 'done') cachedTokens += event.usage.cachedTokens;
          if (seen++ === abortAfter) abort.abort(new Error('gone'));
        }
      } catch (error) {
        expect(String(error)).toContain('gone');
        cancelled++;
        return;
      }
      const expected = await collect(alone.generate(request({ ...overrides, cacheKey: `alone ${i}` })));
      expect(text).toBe(expected.text);
      characters += text.length;
    }),
  );
  expect(cancelled).toBeGreaterThan(15);
  expect(cachedTokens).toBeGreaterThan(800);
  expect(characters).toBeGreaterThan(400);
  expect([engine.queue.running, engine.queue.waiting]).toEqual([0, 0]);
  expect(model.freeTokens).toBe(model.maxTokens);
  // Whatever is cached makes way for one request that takes all there is.
  const all = model.createCache(model.maxTokens);
  expect(model.freeTokens).toBe(0);
  all.free();
});
