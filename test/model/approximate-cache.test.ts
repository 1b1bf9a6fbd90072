/** Forwards that read an earlier forward's KV under full context: exact while nothing has changed, close to it afterwards. */
import { describe, expect, test } from 'vitest';
import type { DiffusionModel, KvCache, Predictions } from '../../src/model/model.ts';
import { convertFamily, type FamilyName } from '../support/engines/families.ts';
import { flavours } from '../support/engines/kernels.ts';
import { convertFixture, scalarModel, wasmModel } from '../support/engines/models.ts';

const LENGTH = 150;
const BLOCK = { start: 90, end: 98 };
const MASK = 259;
/** A prompt and text up to the block, masks from there on. */
const before = Int32Array.from({ length: LENGTH }, (_, i) => (i < BLOCK.start ? (i * 37 + 11) % 250 : MASK));
/** The same when half of the block is decided. */
const after = before.map((id, i) => (i >= BLOCK.start && i < BLOCK.end && i % 2 === 0 ? (i * 13) % 250 : id));
const masked = Int32Array.from(after.keys()).filter((i) => i >= BLOCK.start && i < BLOCK.end && after[i] === MASK);

type Kind = 'prefix' | 'dual';

const exactly = (model: DiffusionModel, cache: KvCache, canvas: Int32Array) =>
  model.denoise(canvas, cache, { positions: masked });

/** An exact forward of `first`, which keeps what stands before the block; then one of `canvas` over that. */
async function stale(model: DiffusionModel, cache: KvCache, kind: Kind, first: Int32Array, canvas: Int32Array) {
  const keep = BLOCK.start - (model.config.logitShift ? 1 : 0);
  await model.denoise(first, cache, { positions: masked, keep });
  expect(cache.length).toBe(keep);
  const end = kind === 'dual' ? BLOCK.end : LENGTH;
  const positions = masked.map((position) => position - keep);
  return model.denoise(canvas.subarray(keep, end), cache, { positions, ahead: LENGTH - end });
}

function largest(a: Predictions, b: Predictions): number {
  return Math.max(...a.probs.map((prob, i) => Math.abs(prob - (b.probs[i] ?? Number.NaN))));
}

describe.each(['dream', 'tiny-a2d-mdlm'] as const)('%s', async (name: FamilyName) => {
  const source = await convertFamily(name);

  test.each(flavours)('WASM %s: bit for bit the exact forward while the canvas is the same', async (flavour) => {
    const model = await wasmModel(source, flavour, 160);
    for (const kind of ['prefix', 'dual'] as const) {
      const cache = model.createCache(LENGTH);
      const got = await stale(model, cache, kind, after, after);
      cache.truncate(0);
      expect(got).toEqual(await exactly(model, cache, after));
      cache.free();
    }
    expect(model.freeTokens).toBe(model.maxTokens);
  });

  test.each(flavours)('WASM %s = the scalar oracle when it has changed, and both err a little', async (flavour) => {
    const [wasm, scalar] = [await wasmModel(source, flavour, 160), await scalarModel(source, true)];
    for (const kind of ['prefix', 'dual'] as const) {
      const [a, b] = [wasm.createCache(LENGTH), scalar.createCache(LENGTH)];
      const got = await stale(wasm, a, kind, before, after);
      const expected = await stale(scalar, b, kind, before, after);
      expect(got.ids).toEqual(expected.ids);
      expect(largest(got, expected)).toBeLessThan(1e-3);
      a.truncate(0);
      const exact = await exactly(wasm, a, after);
      // More than kernels differ among themselves, so what was kept is what was read; and far from another text's.
      expect(largest(got, exact)).toBeGreaterThan(2e-3);
      expect(largest(got, exact)).toBeLessThan(0.05);
      a.free();
      b.free();
    }
  });

  test('what is kept serves no other request, and gives its room back', async () => {
    const model = await wasmModel(source, 'relaxed-simd', 160);
    const prefix = { ids: before.subarray(0, 80), key: 'one' };
    const cache = model.createCache(LENGTH, prefix);
    await stale(model, cache, 'prefix', before, after);
    cache.share();
    cache.free();
    expect(model.freeTokens).toBe(model.maxTokens);
    const again = model.createCache(LENGTH, prefix);
    expect(again.length).toBe(0);
    again.free();
  });

  test('no room, and nothing to keep, are said', async () => {
    for (const model of [await wasmModel(source, 'relaxed-simd', 160), await scalarModel(source)]) {
      const cache = model.createCache(32);
      const canvas = before.subarray(60, 92);
      const positions = Int32Array.of(31);
      const capacity = cache.capacity;
      await expect(model.denoise(canvas, cache, { positions, ahead: capacity - 31 })).rejects.toThrow(RangeError);
      await expect(model.denoise(canvas, cache, { positions, keep: 33 })).rejects.toThrow('no 33 to keep of 32 ids');
      expect(cache.length).toBe(0);
      cache.free();
    }
  });
});

test('a context whose cache is exact keeps nothing that is not', async () => {
  const source = await convertFixture('tiny-qwen2', 'f32', { contextAttention: 'block_causal', logitShift: false });
  for (const model of [await wasmModel(source, 'relaxed-simd'), await scalarModel(source)]) {
    const cache = model.createCache(32);
    for (const ask of [{ keep: 2 }, { ahead: 2 }]) {
      const forward = model.denoise(before.subarray(0, 8), cache, { positions: Int32Array.of(7), ...ask });
      await expect(forward).rejects.toThrow('not exact, under block_causal context');
    }
    cache.free();
  }
});
