/** `min_p` and the repetition penalty on the kernels: the head draws what the plain reference draws. */
import { describe, expect, test } from 'vitest';
import { adjusted, countWithin } from '../../src/model/forward/adjust.ts';
import { type HeadAsk, headPredict } from '../../src/reference/scalar.ts';
import { Bench, flavours, randomFloats } from '../support/engines/kernels.ts';

const V = 3001;
const MASK = 7;
const ids = Int32Array.of(3, 900, 2999, 12);
const deltas = Float32Array.of(6, -2, 0, 0.5);

describe.each(flavours)('%s', (flavour) => {
  const bench = new Bench(flavour, 1 << 20);
  const row = bench.floats(V + 4);
  const result = bench.floats(4);
  const entries = bench.floats(3 * ids.length);

  /** As `Head` asks: additions follow from factors, and the number of ids from their least share. */
  function predict(logits: Float32Array, ask: HeadAsk): number {
    const adjustment = { ids, deltas, factors: ask.factors };
    const { temperature, topK, topP, minP = 0, uniform } = ask;
    bench.arena.f32(row, V).set(logits);
    ids.forEach((id, i) => {
      bench.arena.i32(entries, 3 * ids.length)[3 * i] = id;
      bench.arena.f32(entries, 3 * ids.length)[3 * i + 1] = adjusted(logits[id]!, adjustment, i) - logits[id]!;
    });
    const within = minP > 0 && temperature > 0 ? countWithin(logits, MASK, adjustment, temperature, minP) : topK;
    const k = topK > 0 ? Math.min(topK, within) : within;
    bench.kernels.head_predict(result, row, V, MASK, temperature, k, topP, uniform, -1, entries, ids.length);
    return bench.arena.i32(result, 1)[0]!;
  }

  test.each([
    { temperature: 1, topK: 0, topP: 1, minP: 0.1 },
    { temperature: 1, topK: 0, topP: 1, minP: 1 },
    { temperature: 2, topK: 0, topP: 1, minP: 0.3 },
    { temperature: 1.5, topK: 5, topP: 1, minP: 0.01 },
    { temperature: 1.5, topK: 50, topP: 0.6, minP: 0.02 },
    { temperature: 3, topK: 0, topP: 0.5, minP: 0.2 },
    { temperature: 0, topK: 0, topP: 1, minP: 0.5, factors: Float32Array.of(1.5, 3, 0.5, 1) },
    { temperature: 1, topK: 0, topP: 1, minP: 0, factors: Float32Array.of(5, 0.2, 2, 1) },
    { temperature: 1.3, topK: 30, topP: 0.8, minP: 0.05, factors: Float32Array.of(0.1, 10, 1.1, 2) },
  ])('$temperature, top $topK, mass $topP, least $minP, penalties $factors', (settings) => {
    for (let i = 0; i < 24; i++) {
      const logits = randomFloats(V, i + 1, 9);
      // Once the best id is one that the adjustment moves, once the mask, which counts for nothing.
      logits[i % 2 === 0 ? 900 : MASK] = 12;
      const ask = { ...settings, uniform: (i + 0.37) / 24, target: -1, ids, deltas };
      expect(predict(logits, ask), `row ${i}`).toBe(headPredict(logits, MASK, ask).id);
    }
  });
});

test.each([
  [4, 2, 1, 3],
  [-4, 2, 1, -7],
  [0, 2, 1, 1],
  [4, 0.5, 0, 8],
  [-4, 0.5, 0, -2],
  [4, 1, -1, 3],
])('a logit of %d with factor %d and addition %d is %d', (plain, factor, delta, moved) => {
  const adjustment = { ids: Int32Array.of(0), deltas: Float32Array.of(delta), factors: Float32Array.of(factor) };
  expect(adjusted(plain, adjustment, 0)).toBe(moved);
});
