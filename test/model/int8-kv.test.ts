/** KV in int8: the kernels against the oracle with the same rounding, and what that rounding moves. */
import { describe, expect, test } from 'vitest';
import { committedVisible } from '../../src/model/forward/visibility.ts';
import type { ScalarModel } from '../../src/reference/scalar-model.ts';
import { flavours } from '../support/engines/kernels.ts';
import { convertFixture, type GoldenCase, golden, scalarModel, wasmModel } from '../support/engines/models.ts';
import { type Checkpoint, conformance } from './conformance-suite.ts';

/** Weights in float32: nothing but attention is rounded. */
const CHECKPOINTS: readonly Checkpoint[] = [
  ['tiny-llama', 'f32', {}],
  ['tiny-qwen2', 'f32', { contextAttention: 'block_causal', logitShift: false }],
  ['tiny-qwen3', 'f32', {}],
];

describe.each(CHECKPOINTS.map((checkpoint) => [checkpoint[0], checkpoint] as const))('%s', (_name, checkpoint) => {
  const runtimes = flavours.map((flavour) => ({
    name: `wasm ${flavour}`,
    load: (source: Parameters<typeof wasmModel>[0]) => wasmModel(source, flavour, 512, 'int8'),
    tolerance: 2e-3,
  }));
  conformance(checkpoint, runtimes, true);
});

function logits(model: ScalarModel, { ids, commit }: GoldenCase): Float32Array[] {
  const cache = model.createCache(ids.length) as Parameters<typeof model.logits>[1];
  const all = Int32Array.from(ids);
  const visible = all.map((_, i) => (i < commit ? committedVisible(model.config, i, commit) : ids.length));
  const rows = model.logits(all, cache, visible);
  cache.free();
  return rows;
}

/**
 * Of a row's logits: the root mean square of what the rounding moves, over that of the logits. Measured on 120 rows of each
 * fixture, median / ninth decile / largest: 0.0096 / 0.0157 / 0.0257, 0.0070 / 0.0123 / 0.0220, 0.0097 / 0.0158 / 0.0299.
 * An int8 step is 1/127 of a vector's largest element, so an element errs by 0.3% of it on average. Random weights average
 * nothing out: the shipped model's cross-entropy moves by thousandths (models/recipe/LOG.md).
 */
test.each(['tiny-llama', 'tiny-qwen2', 'tiny-qwen3'])(
  '%s: int8 oracle = float oracle, but for 4 hundredths',
  async (name) => {
    const source = await convertFixture(name, 'f32');
    const [float, int8] = [await scalarModel(source), await scalarModel(source, true)];
    const moved: number[] = [];
    for (const example of await golden(name)) {
      const expected = logits(float, example);
      for (const [r, row] of logits(int8, example).entries()) {
        let [error, size] = [0, 0];
        for (const [i, value] of row.entries()) {
          error += (value - expected[r]![i]!) ** 2;
          size += expected[r]![i]! ** 2;
        }
        moved.push(Math.sqrt(error / size));
      }
    }
    moved.sort((a, b) => a - b);
    const at = (share: number) => moved[Math.floor(share * (moved.length - 1))]!;
    console.log(
      `${name}: ${moved.length} rows, moved ${[0.5, 0.9, 1].map((share) => at(share).toFixed(4)).join(' / ')}`,
    );
    expect(moved.length).toBeGreaterThan(100);
    expect(at(0.5)).toBeGreaterThan(1e-5);
    expect(at(0.5)).toBeLessThan(0.012);
    expect(at(1)).toBeLessThan(0.04);
  },
);
