import { describe, expect, test } from 'vitest';
import type { KernelFlavour } from '../../src/kernels/kernels.ts';
import { dequantizeInt4, dequantizeInt8, matmul, rmsNorm, roundTripQ8, swiglu } from '../../src/reference/scalar.ts';
import { Bench, flavours, randomBytes, randomFloats, randomHalves, relativeError } from '../support/engines/kernels.ts';

/** [rows, n, k]: shapes of SmolLM2-135M with every remainder of rows, and tails of n % 8. */
const SHAPES = [
  [1, 576, 576],
  [2, 192, 576],
  [3, 1536, 576],
  [5, 576, 1536],
  [8, 64, 576],
  [16, 24, 96],
  [17, 12, 64],
  [35, 10, 64],
  [1, 7, 32],
  [4, 1, 96],
  [6, 3, 32],
  [7, 10, 160],
] as const;

/** int4 or int8 weights in the kernels' layout, and what they stand for. */
function weights(bench: Bench, type: 'int4' | 'int8', n: number, k: number, seed: number) {
  const data = randomBytes(type === 'int4' ? (n * k) / 2 : n * k, seed);
  const scales = randomHalves((n * k) / 32, seed + 1);
  const at = { type, data: bench.put(data), scales: bench.put(scales), n, k };
  const panel = bench.arena.take(8 * k);
  if (type === 'int4') bench.kernels.repack_q4(at.data, at.scales, n, k, panel);
  else bench.kernels.repack_q8(at.data, at.scales, n, k, panel);
  return { ...at, floats: (type === 'int4' ? dequantizeInt4 : dequantizeInt8)(data, scales, n, k) };
}

type Weights = ReturnType<typeof weights>;

/** Records of x (rows, K). */
function quantized(bench: Bench, x: Float32Array, { type, k }: Weights, limbs: number): number {
  const rows = x.length / k;
  const q = bench.arena.take((rows * limbs * k * 72) / 32);
  bench.kernels.quantize(q, bench.put(x), rows, k, limbs, type === 'int8' ? 1 : 0, 0, rows);
  return q;
}

function multiply(
  bench: Bench,
  y: number,
  ldy: number,
  accumulate: number,
  q: number,
  w: Weights,
  rows: number,
  limbs = 1,
) {
  const { gemm_q8_q4, gemm_q8_q8 } = bench.kernels;
  const { data, scales, n, k } = w;
  if (w.type === 'int4') {
    gemm_q8_q4(y, ldy, accumulate, q, data, scales, rows, n, k, limbs, bench.arena.take(13 * k));
  } else {
    gemm_q8_q8(y, ldy, accumulate, q, data, scales, rows, n, k, limbs);
  }
}

/** y (rows, n) of x (rows, K). */
function product(bench: Bench, x: Float32Array, w: Weights, limbs = 1): Float32Array {
  const rows = x.length / w.k;
  const y = bench.floats(rows * w.n);
  multiply(bench, y, w.n, 0, quantized(bench, x, w, limbs), w, rows, limbs);
  return bench.f32(y, rows * w.n);
}

const twice = (values: Float32Array) => values.map((v) => 2 * v);

describe.each(flavours.flatMap((flavour) => (['int4', 'int8'] as const).map((type) => [flavour, type] as const)))(
  '%s, %s weights',
  (flavour, type) => {
    test.each(SHAPES)('%i rows, n %i, K %i', (rows, n, k) => {
      const bench = new Bench(flavour);
      const w = weights(bench, type, n, k, 2);
      const x = randomFloats(rows * k, 4, 2);
      x.fill(0, 0, 32); // a group of zeros
      const expected = matmul(roundTripQ8(x), w.floats, rows, n, k);
      const q = quantized(bench, x, w, 1);
      // A stride wider than n: the columns between must stay untouched.
      const ldy = n + 5;
      const y = bench.floats(rows * ldy);
      multiply(bench, y, ldy, 0, q, w, rows);
      const strided = bench.f32(y, rows * ldy);
      const dense = (values: Float32Array) => values.filter((_, i) => i % ldy < n);
      expect(relativeError(dense(strided), expected)).toBeLessThan(2e-6);
      expect(strided.filter((_, i) => i % ldy >= n).every((v) => v === -12345)).toBe(true);
      multiply(bench, y, ldy, 1, q, w, rows);
      expect(relativeError(dense(bench.f32(y, rows * ldy)), twice(expected))).toBeLessThan(2e-6);
    });

    test.each(SHAPES)('two limbs: 15-bit activations (%i rows, n %i, K %i)', (rows, n, k) => {
      const bench = new Bench(flavour);
      const w = weights(bench, type, n, k, 14);
      const x = randomFloats(rows * k, 13, 2);
      // Against activations that were not rounded at all.
      expect(relativeError(product(bench, x, w, 2), matmul(x, w.floats, rows, n, k))).toBeLessThan(1e-4);
    });

    test.each([1, 2])('a row is the same whatever rows are beside it, %i limbs', (limbs) => {
      const bench = new Bench(flavour);
      const [rows, n, k] = [21, 27, 160];
      const w = weights(bench, type, n, k, 20);
      const x = randomFloats(rows * k, 21, 2);
      const whole = product(bench, x, w, limbs);
      for (let count = 1; count < rows; count++) {
        for (const from of [0, rows - count]) {
          const part = product(bench, x.slice(from * k, (from + count) * k), w, limbs);
          expect(part).toEqual(whole.slice(from * n, (from + count) * n));
        }
      }
    });

    test('fused inputs: RMSNorm and SwiGLU', () => {
      const bench = new Bench(flavour);
      const [rows, n, k] = [6, 16, 96];
      const w = weights(bench, type, n, k, 22);
      const words = type === 'int8' ? 1 : 0;
      for (const [limbs, tolerance] of [
        [1, 1e-2],
        [2, 1e-4],
      ] as const) {
        const run = (q: number) => {
          const y = bench.floats(rows * n);
          multiply(bench, y, n, 0, q, w, rows, limbs);
          return bench.f32(y, rows * n);
        };
        const [x, norm] = [randomFloats(rows * k, 23, 20), randomFloats(k, 24)];
        const q = bench.arena.take(rows * limbs * k * 3);
        bench.kernels.rms_norm_quantize(q, bench.put(x), bench.put(norm), rows, k, 1e-5, limbs, words, 0, rows);
        expect(relativeError(run(q), matmul(rmsNorm(x, norm, k, 1e-5), w.floats, rows, n, k))).toBeLessThan(tolerance);
        const gateUp = randomFloats(rows * 2 * k, 25, 12);
        const half = (which: number) => gateUp.filter((_, i) => Math.floor((i % (2 * k)) / k) === which);
        bench.kernels.swiglu_quantize(q, bench.put(gateUp), rows, k, limbs, words, 0, rows);
        expect(relativeError(run(q), matmul(swiglu(half(0), half(1)), w.floats, rows, n, k))).toBeLessThan(tolerance);
      }
    });
  },
);

describe.each(flavours)('%s', (flavour) => {
  test('extreme int4 weights and activations stay inside 16-bit sums', () => {
    const bench = new Bench(flavour);
    const [n, k] = [9, 64]; // 9: the edge too
    const scales = new Uint16Array((n * k) / 32).fill(0x3c00); // 1.0
    const signs = { equal: () => 1, alternating: (j: number) => (j % 4 < 2 ? 1 : -1) };
    for (const byte of [0x00, 0xff]) {
      const data = new Uint8Array((n * k) / 2).fill(byte);
      const at = { data: bench.put(data), scales: bench.put(scales) };
      bench.kernels.repack_q4(at.data, at.scales, n, k, bench.arena.take(8 * k));
      const w: Weights = { type: 'int4', ...at, n, k, floats: dequantizeInt4(data, scales, n, k) };
      for (const sign of [1, -1]) {
        for (const of of Object.values(signs)) {
          const x = Float32Array.from({ length: k }, (_, j) => sign * of(j));
          const expected = sign * ((byte & 15) - 8) * x.reduce((sum, v) => sum + sign * v, 0);
          for (const y of product(bench, x, w)) expect(y).toBeCloseTo(expected, 3);
        }
      }
    }
  });

  test.each([
    [1, 5, 64],
    [3, 8, 30],
    [2, 3, 7],
  ])('gemm_f32 (%i rows, n %i, K %i)', (rows, n, k) => {
    const bench = new Bench(flavour);
    const x = randomFloats(rows * k, 8);
    const w = randomFloats(n * k, 9);
    const y = bench.floats(rows * n);
    bench.kernels.gemm_f32(y, n, 0, bench.put(x), bench.put(w), rows, n, k);
    expect(relativeError(bench.f32(y, rows * n), matmul(x, w, rows, n, k))).toBeLessThan(1e-6);
  });
});

test.each(['int4', 'int8'] as const)('both builds give the same bits, %s', (type) => {
  const output = (flavour: KernelFlavour) => {
    const bench = new Bench(flavour);
    const [rows, n, k] = [23, 61, 576];
    return product(bench, randomFloats(rows * k, 12), weights(bench, type, n, k, 10));
  };
  expect(output('relaxed-simd')).toEqual(output('simd'));
});
