import { describe, expect, test } from 'vitest';
import { headPredict } from '../../src/kernels/scalar.ts';
import { Bench, flavours, randomFloats } from '../support/kernels.ts';

const GREEDY = { temperature: 0, topK: 0, topP: 1, uniform: 0 };

describe.each(flavours)('%s', (flavour) => {
  const predict = (logits: Float32Array, maskId: number, draw = GREEDY) => {
    const bench = new Bench(flavour, 4 << 20);
    const row = bench.arena.take((logits.length + 4) * 4);
    bench.arena.f32(row, logits.length).set(logits);
    const result = bench.arena.take(16);
    const { temperature, topK, topP, uniform } = draw;
    bench.kernels.head_predict(result, row, logits.length, maskId, temperature, topK, topP, uniform);
    const numbers = bench.f32(result, 3);
    return { id: bench.arena.i32(result, 1)[0] ?? -1, prob: numbers[1] ?? 0, entropy: numbers[2] ?? 0 };
  };

  test.each([49152, 264, 5, 6, 7, 1])('argmax, probability and entropy over %i', (vocab) => {
    for (const scale of [0.1, 8, 60]) {
      const logits = randomFloats(vocab, vocab + scale, scale);
      const got = predict(logits, -1);
      const expected = headPredict(logits, -1, GREEDY);
      expect(got.id).toBe(expected.id);
      expect(got.prob).toBeCloseTo(expected.prob, 5);
      expect(got.entropy).toBeCloseTo(expected.entropy, 4);
    }
  });

  test('the mask token is never predicted and takes no probability', () => {
    const logits = Float32Array.of(1, 9, 3, 2, 1);
    const got = predict(logits, 1);
    expect(got.id).toBe(2);
    expect(got.prob).toBeCloseTo(headPredict(Float32Array.of(1, 3, 2, 1), -1, GREEDY).prob, 5);
  });

  test('ties go to the lowest id, wherever it lies in a vector', () => {
    for (const [a, b] of [
      [2, 9],
      [3, 4],
      [1, 2],
    ] as const) {
      const logits = new Float32Array(12).fill(-1);
      logits[a] = 5;
      logits[b] = 5;
      expect(predict(logits, -1).id).toBe(a);
    }
  });

  test('extreme logits: no NaN, all mass on one id', () => {
    const got = predict(Float32Array.of(-3e4, 3e4, 0, 12), -1);
    expect(got).toEqual({ id: 1, prob: 1, entropy: 0 });
  });

  test('draws: same rules as the oracle over temperature, top-k, top-p', () => {
    const logits = randomFloats(1000, 77, 6);
    for (const temperature of [0.3, 1, 1.7]) {
      for (const topK of [0, 1, 7]) {
        for (const topP of [1, 0.9, 0.2]) {
          for (const uniform of [0, 0.001, 0.31, 0.77, 0.9999]) {
            const draw = { temperature, topK, topP, uniform };
            const got = predict(logits, 3, draw);
            const expected = headPredict(logits, 3, draw);
            expect(got.id, JSON.stringify(draw)).toBe(expected.id);
            expect(got.prob / expected.prob, JSON.stringify(draw)).toBeCloseTo(1, 3);
          }
        }
      }
    }
  });

  test('draws follow the distribution', () => {
    const logits = Float32Array.of(0, Math.log(2), Math.log(5), Math.log(2));
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 1000; i++) {
      const { id } = predict(logits, -1, { temperature: 1, topK: 0, topP: 1, uniform: (i + 0.5) / 1000 });
      counts[id] = (counts[id] ?? 0) + 1;
    }
    expect(counts).toEqual([100, 200, 500, 200]);
  });
});
