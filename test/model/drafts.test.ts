/** Adapters on mask rows: PyTorch, the scalar oracle and the WASM kernels. Rows of known tokens keep the bits of the base. */
import { describe, expect, test } from 'vitest';
import type { Activations } from '../../src/model/linear.ts';
import { flavours } from '../support/engines/kernels.ts';
import { largestDifference, rmsDifference, scalarLogits, wasmLogits } from '../support/engines/logits.ts';
import {
  convertFixture,
  convertWithDrafts,
  type Dtype,
  type GoldenCase,
  golden,
  scalarModel,
  wasmModel,
} from '../support/engines/models.ts';

const FIXTURES = ['tiny-llama', 'tiny-qwen2', 'tiny-qwen3'] as const;
const DTYPES: readonly Dtype[] = ['f32', 'int8', 'int4'];
const GOLDEN = 'drafts-golden.json';

describe.each(FIXTURES)('%s with adapters', (name) => {
  test('scalar oracle = PyTorch, float32', async () => {
    const model = await scalarModel(await convertWithDrafts(name, 'f32'));
    for (const example of await golden(name, GOLDEN)) expectClose(await scalarLogits(model, example), example);
  });

  test.each(flavours)('WASM %s = PyTorch, float32', async (flavour) => {
    const model = await wasmModel(await convertWithDrafts(name, 'f32'), flavour, 128, 'int16');
    for (const example of await golden(name, GOLDEN)) expectClose(await wasmLogits(model, example), example);
  });

  test.each(flavours.flatMap((flavour) => (['int8', 'int4'] as Dtype[]).map((dtype) => [flavour, dtype] as const)))(
    'WASM %s = scalar oracle, %s',
    async (flavour, dtype) => {
      const source = await convertWithDrafts(name, dtype);
      const [wasm, scalar] = [await wasmModel(source, flavour), await scalarModel(source, true)];
      for (const example of await golden(name, GOLDEN)) {
        const expected = await scalarLogits(scalar, example);
        // The tolerance of the base: an activation on a rounding boundary may round either way.
        (await wasmLogits(wasm, example)).forEach((row, r) => {
          expect(largestDifference(row, expected[r]!)).toBeLessThan(0.2);
          expect(rmsDifference(row, expected[r]!)).toBeLessThan(0.06);
        });
      }
    },
  );

  test('the adapters move the logits of masks, by more than the tolerance', async () => {
    const [plain, drafting] = [await convertFixture(name, 'f32'), await convertWithDrafts(name, 'f32')];
    const [base, model] = [await wasmModel(plain, 'simd'), await wasmModel(drafting, 'simd')];
    const [example] = await golden(name, GOLDEN);
    const [before, after] = [await wasmLogits(base, example!), await wasmLogits(model, example!)];
    expect(largestDifference(after[1]!, before[1]!)).toBeGreaterThan(0.1);
  });
});

const CASES = DTYPES.flatMap((dtype) =>
  (['int8', 'int16'] as Activations[]).flatMap((activations) =>
    flavours.map((flavour) => [dtype, activations, flavour] as const),
  ),
);

test.each(CASES)(
  '%s, %s activations, %s: known tokens have the bits of the base',
  async (dtype, activations, flavour) => {
    const base = await wasmModel(await convertFixture('tiny-llama', dtype), flavour, 64, activations);
    const model = await wasmModel(await convertWithDrafts('tiny-llama', dtype), flavour, 64, activations);
    const ids = Int32Array.from({ length: 21 }, (_, i) => (i * 37 + 11) % 256);
    const masks = new Int32Array(3).fill(model.config.maskTokenId);
    const positions = Int32Array.of(1, 2, 3);
    const run = async (of: typeof model) => {
      const cache = of.createCache(64);
      // Known tokens and masks in one forward, then known tokens that read the KV of the first.
      const first = await of.advance(ids.subarray(0, 13), masks, cache, { rows: 'all', positions });
      const logits = [0, 5, 12].map((row) => of.decoder.logits(Int32Array.of(row)).slice(0, of.config.vocabSize));
      const second = await of.commit(ids.subarray(13), cache, { rows: 'all' });
      cache.free();
      return { known: [first.committed, second, logits], drafts: first.block };
    };
    const [plain, drafting] = [await run(base), await run(model)];
    expect(drafting.known).toEqual(plain.known);
    expect(drafting.drafts.probs).not.toEqual(plain.drafts.probs);
  },
);

test.each(CASES)(
  '%s, %s activations, %s: the bits of masks are those of any other forward',
  async (dtype, activations, flavour) => {
    const model = await wasmModel(await convertWithDrafts('tiny-llama', dtype), flavour, 64, activations);
    const { maskTokenId: m, vocabSize } = model.config;
    // Masks as tokens of a commit are causal, so every split has the same visible positions.
    const ids = Int32Array.of(5, m, m, 9, m, 77, 31, m, m, m, m, m, 8, m, 2, m, m);
    const logits = async (width: number) => {
      const cache = model.createCache(ids.length);
      const rows: Float32Array[] = [];
      for (let at = 0; at < ids.length; at += width) {
        const piece = ids.subarray(at, at + width);
        await model.commit(piece, cache, { rows: 'all' });
        for (let row = 0; row < piece.length; row++) {
          rows.push(model.decoder.logits(Int32Array.of(row)).slice(0, vocabSize));
        }
      }
      cache.free();
      return rows;
    };
    const whole = await logits(ids.length);
    for (const width of [1, 2, 3, 5, 8, 16]) expect(await logits(width)).toEqual(whole);
  },
);

function expectClose(logits: readonly Float32Array[], example: GoldenCase): void {
  expect(logits.length).toBe(example.logits.length);
  logits.forEach((row, r) => {
    expect(largestDifference(row, example.logits[r]!)).toBeLessThan(1e-3);
  });
}
