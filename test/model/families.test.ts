/** Logits of published families' checkpoints: PyTorch, the scalar oracle and the WASM kernels, with and without cache. */
import { describe, expect, test } from 'vitest';
import { type ModelConfig, uncommittedPrompt } from '../../src/model/config.ts';
import { committedVisible } from '../../src/model/forward/visibility.ts';
import type { Predictions } from '../../src/model/model.ts';
import type { WasmModel } from '../../src/model/wasm-model.ts';
import type { ScalarModel } from '../../src/reference/scalar-model.ts';
import { convertFamily, FAMILIES, familyGolden, type LogitCase } from '../support/engines/families.ts';
import { flavours } from '../support/engines/kernels.ts';
import { scalarModel, wasmModel } from '../support/engines/models.ts';

/** The committed part of a prompt, and the block that begins with the rest of it. */
function split(config: ModelConfig, { ids, prompt }: LogitCase): { context: Int32Array; block: Int32Array } {
  const clean = prompt - uncommittedPrompt(config, prompt);
  return { context: Int32Array.from(ids.slice(0, clean)), block: Int32Array.from(ids.slice(clean)) };
}

const prefixOf = ({ ids, prompt }: LogitCase) => ({ ids: Int32Array.from(ids.slice(0, prompt)), key: `${ids}` });

/** Logits of every row of the last forward: (rows)(V). */
function allLogits(model: WasmModel, rows: number): Float32Array[] {
  return Array.from({ length: rows }, (_, row) => model.decoder.logits(Int32Array.of(row)).slice());
}

async function wasmLogits(model: WasmModel, example: LogitCase): Promise<Float32Array[]> {
  const { context, block } = split(model.config, example);
  const cache = model.createCache(example.ids.length, prefixOf(example));
  const logits: Float32Array[] = [];
  if (context.length > 0) {
    await model.commit(context, cache, { rows: 'all' });
    logits.push(...allLogits(model, context.length));
  }
  // Asking for the first row's prediction makes every row's hidden state available.
  await model.denoise(block, cache, { positions: Int32Array.of(model.config.logitShift ? 1 : 0) });
  logits.push(...allLogits(model, block.length));
  cache.free();
  return logits;
}

/** One forward over everything under the family's mask: no cache. */
function scalarLogits(model: ScalarModel, example: LogitCase): Float32Array[] {
  const { context } = split(model.config, example);
  const cache = model.createCache(example.ids.length, prefixOf(example)) as Parameters<typeof model.logits>[1];
  const end = example.ids.length;
  const visible = Int32Array.from(example.ids, (_, i) =>
    i < context.length ? committedVisible(model.config, i, context.length, cache.origin) : end,
  );
  const logits = model.logits(Int32Array.from(example.ids), cache, visible);
  cache.free();
  return logits;
}

function largestDifference(rows: readonly Float32Array[], { logits }: LogitCase, every: number): number {
  let most = 0;
  expect(rows.length).toBe(logits.length);
  for (const [r, expected] of logits.entries()) {
    for (const [i, value] of expected.entries()) most = Math.max(most, Math.abs(rows[r]![i * every]! - value));
  }
  return most;
}

function expectSame(a: Predictions, b: Predictions, digits = 4): void {
  expect(a.ids).toEqual(b.ids);
  for (const [i, prob] of a.probs.entries()) expect(prob).toBeCloseTo(b.probs[i]!, digits);
}

describe.each(FAMILIES)('%s', async (name) => {
  const source = await convertFamily(name);
  const { logits: cases, every } = await familyGolden(name);

  test('scalar oracle without a cache = PyTorch', async () => {
    const model = await scalarModel(source);
    for (const example of cases)
      expect(largestDifference(scalarLogits(model, example), example, every)).toBeLessThan(1e-3);
  });

  test.each(flavours)('WASM %s over a cache = PyTorch', async (flavour) => {
    const model = await wasmModel(source, flavour, 128, 'int16');
    for (const example of cases) {
      expect(largestDifference(await wasmLogits(model, example), example, every)).toBeLessThan(1e-3);
    }
  });

  test('what is committed does not change when later tokens do', async () => {
    const model = await wasmModel(source, 'relaxed-simd');
    const shift = model.config.logitShift ? 1 : 0;
    for (const example of cases) {
      const { context, block } = split(model.config, example);
      const [cache, fresh] = [0, 1].map(() => model.createCache(example.ids.length + 8, prefixOf(example)));
      if (context.length > 0) {
        for (const each of [cache!, fresh!]) await model.commit(context, each, { rows: 'last' });
      }
      const positions = Int32Array.from({ length: block.length - shift }, (_, i) => i + shift);
      const expected = await model.denoise(block, fresh!, { positions });
      await model.denoise(
        block.map((id) => (id + 7) % 200),
        cache!,
        { positions },
      );
      expectSame(await model.denoise(block, cache!, { positions }), expected);
      cache!.free();
      fresh!.free();
    }
  });
});
