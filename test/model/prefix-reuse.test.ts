/** A reused prefix gives the predictions of a prompt that was run whole, to the bit, and costs only the rest. */
import { describe, expect, test, vi } from 'vitest';
import type { KvCache, Predictions } from '../../src/model/model.ts';
import type { WasmModel } from '../../src/model/wasm-model.ts';
import { createDraw } from '../../src/sampler/draw.ts';
import { Forwards } from '../../src/sampler/forwards.ts';
import { flavours } from '../support/engines/kernels.ts';
import { loneLane } from '../support/engines/lone-lane.ts';
import { convertFixture, type Dtype, wasmModel } from '../support/engines/models.ts';

const B = 8; // tokens a page, and the block
const LENGTHS = [1, B - 1, B, B + 1, 2 * B, 2 * B + 1, 63, 64, 65, 72, 73, 137];
const NEW = 24;

const text = Int32Array.from({ length: 200 }, (_, i) => (i * 37 + 11) % 256);
const draw = createDraw({ temperature: 0, topP: 1, topK: 0, seed: 0, logitRules: null });
const SEMANTICS = [{}, { contextAttention: 'block_causal' }] as const;

/** What a request gets to see: the prediction after the prompt, of a masked block, and after that block's commit. */
async function predictions(model: WasmModel, cache: KvCache, prompt: Int32Array): Promise<Predictions[]> {
  const forwards = new Forwards(loneLane(model, cache), draw, new AbortController().signal);
  const first = await forwards.prefill(prompt);
  const block = new Int32Array(B).fill(model.config.maskTokenId, 1);
  block[0] = first.ids[0] ?? 0;
  const positions = Int32Array.from({ length: B - 1 }, (_, i) => i + 1);
  const drafted = await model.denoise(block, cache, { positions });
  block.set(drafted.ids, 1);
  return [first, drafted, await model.commit(block, cache, { rows: 'all' })];
}

const cases = flavours.flatMap((flavour) =>
  (['int4', 'int8', 'f32'] as const).flatMap((dtype: Dtype) =>
    SEMANTICS.map((semantics) => ({ flavour, dtype, semantics })),
  ),
);

describe.each(cases)('$flavour, $dtype, $semantics', async ({ flavour, dtype, semantics }) => {
  const source = await convertFixture('tiny-llama', dtype, semantics);
  const model = await wasmModel(source, flavour, 1024);

  test.each(LENGTHS)('a prompt of %i tokens, again', async (length) => {
    const prompt = text.subarray(0, length);
    const prefix = { ids: prompt, key: String(length) };
    const plain = model.createCache(length + NEW);
    const expected = await predictions(model, plain, prompt);
    plain.free();
    const run = async () => {
      const cache = model.createCache(length + NEW, prefix);
      const reused = cache.length;
      const seen = await predictions(model, cache, prompt);
      cache.free();
      return { reused, seen };
    };
    const [first, second] = [await run(), await run()];
    expect(first.reused).toBe(0);
    expect(second.reused).toBe(Math.floor((length - 1) / B) * B);
    expect(first.seen).toEqual(expected);
    expect(second.seen).toEqual(expected);
  });
});

test('a longer prompt behind a shorter one runs the rest only', async () => {
  const model = await wasmModel(await convertFixture('tiny-llama', 'int4'), 'relaxed-simd', 512);
  const forward = vi.spyOn(model.decoder, 'forward');
  const rows = async (length: number, key = '') => {
    forward.mockClear();
    const ids = text.subarray(0, length);
    const cache = model.createCache(length + NEW, { ids, key });
    const forwards = new Forwards(loneLane(model, cache), draw, new AbortController().signal);
    await forwards.prefill(ids);
    cache.free();
    return forward.mock.calls.map(([sequences]) => sequences.reduce((rows, { ids }) => rows + ids.length, 0));
  };
  expect(await rows(100)).toEqual([64, 36]);
  expect(await rows(120)).toEqual([120 - 96]);
  expect(await rows(120)).toEqual([120 - 112]);
  expect(await rows(100, 'another key')).toEqual([64, 36]);
  expect(model.freeTokens).toBe(model.maxTokens);
});

test('a cancelled request leaves what it had finished', async () => {
  const model = await wasmModel(await convertFixture('tiny-llama', 'int4'), 'relaxed-simd', 512);
  const prefix = { ids: text, key: '' };
  const cache = model.createCache(text.length, prefix);
  const abort = new AbortController();
  const forward = model.decoder.forward.bind(model.decoder);
  let forwarded = 0;
  vi.spyOn(model.decoder, 'forward').mockImplementation((...args: Parameters<typeof forward>) => {
    forward(...args);
    if (++forwarded === 2) abort.abort(new Error('gone'));
  });
  const forwards = new Forwards(loneLane(model, cache), draw, abort.signal);
  await expect(forwards.prefill(text)).rejects.toThrow('gone');
  cache.free();
  const again = model.createCache(text.length, prefix);
  expect(again.length).toBe(128);
});
