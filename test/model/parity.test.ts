/** PyTorch, the scalar oracle and the WASM kernels on the same random checkpoints of each architecture. */
import { describe, expect, test } from 'vitest';
import { flavours } from '../support/engines/kernels.ts';
import { largestDifference, rmsDifference, scalarLogits, wasmLogits } from '../support/engines/logits.ts';
import { convertFixture, type Dtype, golden, scalarModel, wasmModel } from '../support/engines/models.ts';

const FIXTURES = ['tiny-llama', 'tiny-qwen2', 'tiny-qwen3'] as const;

describe.each(FIXTURES)('%s', (name) => {
  test('scalar oracle = PyTorch, float32', async () => {
    const model = await scalarModel(await convertFixture(name, 'f32'));
    for (const example of await golden(name)) {
      const logits = await scalarLogits(model, example);
      expect(logits.length).toBe(example.logits.length);
      logits.forEach((row, r) => {
        expect(largestDifference(row, example.logits[r] ?? [])).toBeLessThan(1e-3);
      });
    }
  });

  test.each(flavours)('WASM %s = PyTorch, float32', async (flavour) => {
    const model = await wasmModel(await convertFixture(name, 'f32'), flavour, 128, 'int16');
    for (const example of await golden(name)) {
      const logits = await wasmLogits(model, example);
      expect(logits.length).toBe(example.logits.length);
      logits.forEach((row, r) => {
        expect(largestDifference(row, example.logits[r] ?? [])).toBeLessThan(1e-3);
      });
    }
  });

  test.each(flavours.flatMap((flavour) => (['int8', 'int4'] as Dtype[]).map((dtype) => [flavour, dtype] as const)))(
    'WASM %s = scalar oracle, %s',
    async (flavour, dtype) => {
      const source = await convertFixture(name, dtype);
      const [wasm, scalar] = [await wasmModel(source, flavour), await scalarModel(source, true)];
      for (const example of await golden(name)) {
        const expected = await scalarLogits(scalar, example);
        const logits = await wasmLogits(wasm, example);
        // An activation that lies on a rounding boundary may round either way: some logits move by an int8 step.
        logits.forEach((row, r) => {
          expect(largestDifference(row, expected[r] ?? [])).toBeLessThan(0.2);
          expect(rmsDifference(row, expected[r] ?? [])).toBeLessThan(0.06);
        });
      }
    },
  );
});
