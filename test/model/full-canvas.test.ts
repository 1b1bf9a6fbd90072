/** A canvas longer than a tile, under full attention: layer by layer, as one forward without tiles. */
import { expect, test } from 'vitest';
import { convertFamily } from '../support/engines/families.ts';
import { flavours } from '../support/engines/kernels.ts';
import { scalarModel, wasmModel } from '../support/engines/models.ts';

const source = await convertFamily('dream');
const ids = Int32Array.from({ length: 150 }, (_, i) => (i % 3 === 2 ? 259 : (i * 37 + 11) % 250));

test.each(flavours)('WASM %s = the scalar oracle on 150 positions, wherever the asked ones begin', async (flavour) => {
  const [wasm, scalar] = [await wasmModel(source, flavour, 160), await scalarModel(source, true)];
  expect(wasm.maxForward).toBe(160);
  for (const from of [2, 70, 140]) {
    const positions = ids.map((_, i) => i).filter((i) => i >= from && ids[i] === 259);
    const [a, b] = [wasm.createCache(150), scalar.createCache(150)];
    const [got, expected] = [await wasm.denoise(ids, a, { positions }), await scalar.denoise(ids, b, { positions })];
    expect(got.ids).toEqual(expected.ids);
    for (const [i, prob] of got.probs.entries()) expect(prob).toBeCloseTo(expected.probs[i]!, 3);
    a.free();
    b.free();
  }
});

test('a token at the far end changes what is predicted at the other', async () => {
  const model = await wasmModel(source, 'relaxed-simd', 160);
  const positions = Int32Array.of(2);
  const cache = model.createCache(150);
  const before = await model.denoise(ids, cache, { positions });
  const after = await model.denoise(ids.with(149, 77), cache, { positions });
  expect(after.probs[0]).not.toBe(before.probs[0]);
});
