/** A full forward equals prefill plus cached block forwards, and committed KV never changes. */
import { describe, expect, test } from 'vitest';
import type { DiffusionModel, KvCache, Predictions } from '../../src/model/model.ts';
import { WasmModel } from '../../src/model/wasm-model.ts';
import { flavours } from '../support/engines/kernels.ts';
import { convertFixture, scalarModel, wasmModel } from '../support/engines/models.ts';

const B = 8;
const LENGTHS = [0, 1, B - 1, B, B + 1, 2 * B + 1];
const source = await convertFixture('tiny-llama', 'f32');
const quantized = await convertFixture('tiny-llama', 'int4');
const blockCausal = await convertFixture('tiny-llama', 'f32', { contextAttention: 'block_causal' });

const models: readonly (readonly [string, () => Promise<DiffusionModel>])[] = [
  ['scalar', () => scalarModel(source)],
  ...flavours.map((flavour) => [`wasm ${flavour}`, () => wasmModel(source, flavour, 512)] as const),
  ['wasm int4', () => wasmModel(quantized, 'relaxed-simd', 512)],
];

const ids = Int32Array.from({ length: 64 }, (_, i) => (i * 37 + 11) % 256);
const positions = Int32Array.from({ length: B - 1 }, (_, i) => i + 1);

/** Context in the given pieces, then one denoise of a block that holds masks. */
async function denoiseAfter(
  model: DiffusionModel,
  pieces: readonly Int32Array[],
): Promise<{ next: Predictions | null; block: Predictions; cache: KvCache }> {
  const cache = model.createCache(80);
  let next: Predictions | null = null;
  for (const piece of pieces) next = await model.commit(piece, cache, { rows: 'last' });
  const block = ids.slice(40, 40 + B).fill(model.config.maskTokenId, 2);
  return { next, block: await model.denoise(block, cache, { positions }), cache };
}

function expectSame(a: Predictions | null, b: Predictions | null, digits: number): void {
  expect(a === null).toBe(b === null);
  if (!a || !b) return;
  expect(a.ids).toEqual(b.ids);
  a.probs.forEach((prob, i) => {
    expect(prob).toBeCloseTo(b.probs[i] ?? Number.NaN, digits);
    expect(a.entropies[i]).toBeCloseTo(b.entropies[i] ?? Number.NaN, digits - 1);
  });
}

describe.each(models)('%s', (_name, load) => {
  test.each(LENGTHS)('context of %i in one piece, token by token, and in blocks', async (length) => {
    const model = await load();
    const context = ids.subarray(0, length);
    const whole = await denoiseAfter(model, length > 0 ? [context] : []);
    const single = await denoiseAfter(
      model,
      Array.from(context, (id) => Int32Array.of(id)),
    );
    const blocks: Int32Array[] = [];
    for (let at = 0; at < length; at += 3) blocks.push(context.subarray(at, Math.min(at + 3, length)));
    const pieces = await denoiseAfter(model, blocks);
    expect(whole.cache.length).toBe(length);
    expectSame(single.next, whole.next, 4);
    expectSame(single.block, whole.block, 4);
    expectSame(pieces.next, whole.next, 4);
    expectSame(pieces.block, whole.block, 4);
  });

  test('a draft leaves no trace: later predictions are those of a cache that never saw it', async () => {
    const model = await load();
    const { cache } = await denoiseAfter(model, [ids.subarray(0, 11)]);
    const after = await model.commit(ids.subarray(11, 16), cache, { rows: 'last' });
    const fresh = model.createCache(80);
    const expected = await model.commit(ids.subarray(0, 16), fresh, { rows: 'last' });
    expectSame(after, expected, 4);
  });

  test('an advance is a commit and a denoise in one forward', async () => {
    const model = await load();
    const [one, two] = [model.createCache(80), model.createCache(80)];
    for (const cache of [one, two]) await model.commit(ids.subarray(0, 11), cache, { rows: 'last' });
    const clean = ids.subarray(11, 16);
    const block = new Int32Array(6).fill(model.config.maskTokenId);
    const asked = positions.subarray(0, 5);
    for (const rows of ['last', 'all'] as const) {
      const committed = await model.commit(clean, one, { rows });
      const expected = { committed, block: await model.denoise(block, one, { positions: asked }) };
      const advanced = await model.advance(clean, block, two, { rows, positions: asked });
      expectSame(advanced.committed, expected.committed, 4);
      expectSame(advanced.block, expected.block, 4);
      expect(two.length).toBe(one.length);
    }
  });

  test('a truncated cache is one that never saw the rest', async () => {
    const model = await load();
    const [cache, fresh] = [model.createCache(80), model.createCache(80)];
    await model.commit(ids.subarray(0, 20), cache, { rows: 'all' });
    cache.truncate(13);
    await model.commit(ids.subarray(0, 13), fresh, { rows: 'last' });
    const after = await model.commit(ids.subarray(30, 34), cache, { rows: 'all' });
    expectSame(after, await model.commit(ids.subarray(30, 34), fresh, { rows: 'all' }), 4);
  });

  test('committed tokens do not depend on what follows', async () => {
    const model = await load();
    const predictions = await Promise.all(
      [1, 200].map((id) => {
        const cache = model.createCache(80);
        return model.commit(Int32Array.of(...ids.subarray(0, 9), id, id), cache, { rows: 'all' });
      }),
    );
    expect(predictions[0]?.ids.slice(0, 9)).toEqual(predictions[1]?.ids.slice(0, 9));
    expect(predictions[0]?.probs.slice(0, 9)).toEqual(predictions[1]?.probs.slice(0, 9));
    expect(predictions[0]?.probs.slice(9)).not.toEqual(predictions[1]?.probs.slice(9));
  });
});

test('commits longer than a tile are one forward', async () => {
  const model = await wasmModel(source, 'relaxed-simd', 512);
  const long = Int32Array.from({ length: 150 }, (_, i) => (i * 7) % 256);
  const [a, b] = [model.createCache(150), model.createCache(150)];
  const whole = await model.commit(long, a, { rows: 'all' });
  const parts = [];
  for (let at = 0; at < 150; at += 10) parts.push(await model.commit(long.subarray(at, at + 10), b, { rows: 'all' }));
  expect(Array.from(whole.ids)).toEqual(parts.flatMap((part) => Array.from(part.ids)));
});

test('block-causal context sees its whole block and nothing after it', async () => {
  const [scalar, wasm] = [await scalarModel(blockCausal, true), await wasmModel(blockCausal, 'relaxed-simd', 512)];
  const long = Int32Array.from({ length: 150 }, (_, i) => (i * 7) % 256);
  const expected = await scalar.commit(long, scalar.createCache(150), { rows: 'all' });
  expectSame(await wasm.commit(long, wasm.createCache(150), { rows: 'all' }), expected, 3);
  const changed = long.slice();
  changed[15] = 99; // the last token of the second block
  const { probs } = await wasm.commit(changed, wasm.createCache(150), { rows: 'all' });
  const first = await wasm.commit(long.subarray(0, B), wasm.createCache(B), { rows: 'all' });
  expect(probs.slice(0, B)).toEqual(first.probs);
  expect(probs[B]).not.toBe(expected.probs[B]);
});

test('memory: what is reported is what exists, and a budget too small names itself', async () => {
  const model = await wasmModel(source, 'simd', 100);
  expect(model.maxTokens).toBe(104); // whole pages of 8
  expect(model.freeTokens).toBe(104);
  expect(model.memory.weights + model.memory.kvPool + model.memory.scratch).toBe(model.memory.total);
  const { readModelConfig } = await import('../../src/model/weight-source.ts');
  const { kernelModules } = await import('../support/engines/kernels.ts');
  await expect(
    WasmModel.load(source, await readModelConfig(source), {
      kernels: kernelModules,
      activations: 'int8',
      memoryBudget: 1000,
      kvTokens: 8,
      prefixCache: true,
    }),
  ).rejects.toThrow(/do not fit the memory budget of 1000 bytes/);
});

test('requests that cannot run are refused: no room, no such id, position 0 under a shift', async () => {
  const model = await wasmModel(source, 'relaxed-simd', 32);
  const cache = model.createCache(16);
  await expect(model.commit(new Int32Array(17), cache, { rows: 'last' })).rejects.toThrow(RangeError);
  await expect(model.commit(Int32Array.of(264), cache, { rows: 'last' })).rejects.toThrow(/outside the vocabulary/);
  await expect(model.denoise(new Int32Array(4), cache, { positions: Int32Array.of(0) })).rejects.toThrow(RangeError);
  expect(cache.length).toBe(0);
  cache.free();
  await expect(model.commit(Int32Array.of(1), cache, { rows: 'last' })).rejects.toThrow(/after it was freed/);
});
