import { describe, expect, test } from 'vitest';
import { type HeadAsk, headPredict } from '../../src/reference/scalar.ts';
import { Bench, flavours, randomFloats } from '../support/engines/kernels.ts';

const GREEDY: HeadAsk = {
  temperature: 0,
  topK: 0,
  topP: 1,
  uniform: 0,
  target: -1,
  ids: new Int32Array(),
  deltas: new Float32Array(),
};

/** Distinct ids of a vocabulary, its last ones and the given ones among them, with deltas up to `scale`. */
function adjustment(vocab: number, count: number, scale: number, ...given: number[]): Pick<HeadAsk, 'ids' | 'deltas'> {
  const spread = Array.from(randomFloats(count, vocab + count), (x) => Math.floor(((x + 1) / 2) * vocab));
  const ids = Int32Array.from(new Set([...given, vocab - 1, ...spread]));
  return { ids, deltas: randomFloats(ids.length, 5, scale) };
}

describe.each(flavours)('%s', (flavour) => {
  const bench = new Bench(flavour, 1 << 20);
  const row = bench.floats(49152 + 4);
  const result = bench.floats(4);
  const entries = bench.floats(3 * 400); // id, delta, room for the plain logit

  const predict = (logits: Float32Array, maskId: number, ask: Partial<HeadAsk> = GREEDY) => {
    const { temperature, topK, topP, uniform, target, ids, deltas } = { ...GREEDY, ...ask };
    bench.arena.f32(row, logits.length).set(logits);
    for (const [i, id] of ids.entries()) bench.arena.i32(entries, 3 * ids.length)[3 * i] = id;
    for (const [i, delta] of deltas.entries()) bench.arena.f32(entries, 3 * ids.length)[3 * i + 1] = delta;
    const choice = [temperature, topK, topP, uniform, target, entries, ids.length] as const;
    bench.kernels.head_predict(result, row, logits.length, maskId, ...choice);
    const [, prob = 0, entropy = 0, targetProb = 0] = bench.f32(result, 4);
    return { id: bench.arena.i32(result, 1)[0] ?? -1, prob, entropy, targetProb };
  };

  /** Everything but the id is relative to the plain softmax: close to the oracle's, small numbers too. */
  const expectLikeOracle = (logits: Float32Array, maskId: number, ask: Partial<HeadAsk>) => {
    const got = predict(logits, maskId, ask);
    const expected = headPredict(logits, maskId, { ...GREEDY, ...ask });
    const { target, temperature, topK, topP, uniform } = { ...GREEDY, ...ask };
    const what = JSON.stringify({ target, temperature, topK, topP, uniform });
    expect(got.id, what).toBe(expected.id);
    expect(got.prob, what).toBeCloseTo(expected.prob, 4);
    if (expected.prob > 1e-30) expect(got.prob / expected.prob, what).toBeCloseTo(1, 3);
    expect(got.entropy, what).toBeCloseTo(expected.entropy, 4);
    expect(got.targetProb, what).toBeCloseTo(expected.targetProb, 4);
    if (expected.targetProb > 1e-30) expect(got.targetProb / expected.targetProb, what).toBeCloseTo(1, 3);
    return got;
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
    expect(got).toEqual({ id: 1, prob: 1, entropy: 0, targetProb: 0 });
  });

  test('draws: same rules as the oracle over temperature, top-k, top-p', () => {
    const logits = randomFloats(1000, 77, 6);
    for (const temperature of [0.3, 1, 1.7]) {
      for (const topK of [0, 1, 7]) {
        for (const topP of [1, 0.9, 0.2]) {
          for (const uniform of [0, 0.001, 0.31, 0.77, 0.9999]) {
            expectLikeOracle(logits, 3, { temperature, topK, topP, uniform });
          }
        }
      }
    }
  });

  test('draws follow the distribution', () => {
    const logits = Float32Array.of(0, Math.log(2), Math.log(5), Math.log(2));
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 1000; i++) {
      const { id } = predict(logits, -1, { temperature: 1, uniform: (i + 0.5) / 1000 });
      counts[id] = (counts[id] ?? 0) + 1;
    }
    expect(counts).toEqual([100, 200, 500, 200]);
  });

  test.each([49152, 264, 5, 6, 7, 1])(
    'adjusted argmax over %i: the id moves, probability and entropy stay plain',
    (vocab) => {
      const logits = randomFloats(vocab, vocab, 8);
      const best = headPredict(logits, -1, GREEDY);
      for (const [count, scale] of [
        [1, 0.5],
        [3, 100],
        [300, 8],
      ] as const) {
        expectLikeOracle(logits, -1, adjustment(vocab, count, scale, best.id));
      }
      const banned = { ids: Int32Array.of(best.id), deltas: Float32Array.of(-100) };
      const second = expectLikeOracle(logits, -1, banned);
      if (vocab > 1) expect(second.id).not.toBe(best.id);
      expect(second.prob).toBeLessThanOrEqual(best.prob * 1.0001);
      const forced = { ids: Int32Array.of(vocab - 1), deltas: Float32Array.of(100) };
      expect(expectLikeOracle(logits, -1, forced).id).toBe(vocab - 1);
    },
  );

  test('adjusted draws over a real vocabulary: the rules of the oracle, the probability of the plain softmax', () => {
    const logits = randomFloats(49152, 41, 9);
    const best = headPredict(logits, 3, GREEDY).id;
    for (const scale of [2, 100]) {
      const change = adjustment(49152, 200, scale, best, 3);
      for (const temperature of [0.3, 1, 2]) {
        for (const [topK, topP] of [
          [0, 1],
          [50, 0.9],
        ] as const) {
          // Draws that lie between two ids' shares may fall either way in float32: these do not.
          for (const uniform of [0.05, 0.21, 0.63]) {
            expectLikeOracle(logits, 3, { temperature, topK, topP, uniform, ...change });
          }
        }
      }
    }
  });

  test('adjusted draws follow the adjusted distribution', () => {
    // Plain 1 : 2 : 5 : 2; the third loses ln 5, the first gains ln 5: 5 : 2 : 1 : 2.
    const logits = Float32Array.of(0, Math.log(2), Math.log(5), Math.log(2));
    const change = { ids: Int32Array.of(2, 0), deltas: Float32Array.of(-Math.log(5), Math.log(5)) };
    const plain = [0.1, 0.2, 0.5, 0.2];
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 1000; i++) {
      const { id, prob } = predict(logits, -1, { temperature: 1, uniform: (i + 0.5) / 1000, ...change });
      counts[id] = (counts[id] ?? 0) + 1;
      expect(prob).toBeCloseTo(plain[id] ?? 0, 5);
    }
    expect(counts).toEqual([500, 200, 100, 200]);
  });

  test('no bias makes the mask token an answer', () => {
    const logits = randomFloats(264, 8, 4);
    const change = { ids: Int32Array.of(7), deltas: Float32Array.of(100) };
    for (const temperature of [0, 1]) {
      const got = expectLikeOracle(logits, 7, { temperature, uniform: 0.9, target: 7, ...change });
      expect(got.id).not.toBe(7);
      expect(got.targetProb).toBe(0);
    }
  });

  test.each([49152, 264, 5, 6, 7, 1])('the plain probability of any target over %i, whatever the choice', (vocab) => {
    const logits = randomFloats(vocab, vocab + 2, 8);
    const change = adjustment(vocab, 20, 8, 0);
    for (const target of [0, vocab >> 1, vocab - 1]) {
      for (const temperature of [0, 0.7]) expectLikeOracle(logits, -1, { temperature, uniform: 0.4, target });
      expectLikeOracle(logits, -1, { target, ...change });
      expectLikeOracle(logits, -1, { temperature: 1.3, topP: 0.8, uniform: 0.6, target, ...change });
    }
    const { id, prob } = predict(logits, -1);
    expect(predict(logits, -1, { target: id }).targetProb).toBeCloseTo(prob, 6);
  });
});
