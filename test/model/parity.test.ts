/** PyTorch, the scalar oracle and the WASM kernels on the same random checkpoints of each architecture. */
import { describe, expect, test } from 'vitest';
import { committedVisible } from '../../src/model/forward/visibility.ts';
import type { WasmModel } from '../../src/model/wasm-model.ts';
import { flavours } from '../support/engines/kernels.ts';
import {
  convertFixture,
  type Dtype,
  type GoldenCase,
  golden,
  scalarModel,
  wasmModel,
} from '../support/engines/models.ts';

const FIXTURES = ['tiny-llama', 'tiny-qwen2', 'tiny-qwen3'] as const;

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < b.length; i++) {
    const difference = Math.abs((a[i] ?? Number.NaN) - (b[i] ?? 0));
    if (!(difference <= most)) most = difference;
  }
  return most;
}

function rmsDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < b.length; i++) sum += ((a[i] ?? Number.NaN) - (b[i] ?? 0)) ** 2;
  return Math.sqrt(sum / b.length);
}

/** Logits of every row of the last forward: (rows)(V). */
function allLogits(model: WasmModel, rows: number): Float32Array[] {
  return Array.from({ length: rows }, (_, row) =>
    model.decoder.logits(Int32Array.of(row)).slice(0, model.config.vocabSize),
  );
}

/** Context logits, then the block's: the block is not committed. */
async function wasmLogits(model: WasmModel, { ids, commit }: GoldenCase): Promise<Float32Array[]> {
  const cache = model.createCache(ids.length);
  const context = Int32Array.from(ids.slice(0, commit));
  const block = Int32Array.from(ids.slice(commit));
  const logits: Float32Array[] = [];
  if (context.length > 0) {
    await model.commit(context, cache, { rows: 'all' });
    logits.push(...allLogits(model, context.length));
  }
  if (block.length > 0) {
    // Asking for the first row's prediction makes every row's hidden state available.
    await model.denoise(block, cache, { positions: Int32Array.of(1) });
    logits.push(...allLogits(model, block.length));
  }
  cache.free();
  return logits;
}

async function scalarLogits(
  model: Awaited<ReturnType<typeof scalarModel>>,
  { ids, commit }: GoldenCase,
): Promise<Float32Array[]> {
  const cache = model.createCache(ids.length) as Parameters<typeof model.forward>[1];
  const context = Int32Array.from(ids.slice(0, commit));
  const visible = context.map((_, i) => committedVisible(model.config, i, commit));
  const logits = model.forward(context, cache, visible);
  cache.length = commit;
  const block = Int32Array.from(ids.slice(commit));
  logits.push(...model.forward(block, cache, new Int32Array(block.length).fill(ids.length)));
  cache.free();
  return logits;
}

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
    const model = await wasmModel(await convertFixture(name, 'f32'), flavour);
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
