import { describe, expect, test } from 'vitest';
import { dequantizeInt4, dequantizeInt8, matmul, quantizeQ8, roundTripQ8 } from '../../src/kernels/scalar.ts';
import { Bench, flavours, randomBytes, randomFloats, randomHalves, relativeError } from '../support/kernels.ts';

/** [rows, n, k]: shapes of SmolLM2-135M with every remainder of rows, and tails of n % 4. */
const SHAPES = [
  [1, 576, 576],
  [2, 192, 576],
  [3, 1536, 576],
  [5, 576, 1536],
  [8, 64, 576],
  [17, 12, 64],
  [1, 7, 32],
  [4, 1, 96],
  [6, 3, 32],
  [7, 10, 160],
] as const;

describe.each(flavours)('%s', (flavour) => {
  test.each(SHAPES)('quantize_q8 (%i rows, n %i, K %i)', (rows, _n, k) => {
    const bench = new Bench(flavour);
    const x = randomFloats(rows * k, 1, 3);
    x.fill(0, 0, 32); // a group of zeros
    const q = bench.arena.take(rows * k);
    const scale = bench.floats((rows * k) / 32);
    const correction = bench.floats((rows * k) / 32);
    bench.kernels.quantize_q8(q, scale, correction, bench.put(x), rows, k);
    const expected = quantizeQ8(x);
    const bytes = new Int8Array(bench.arena.bytes(q, rows * k));
    expect(bytes).toEqual(expected.q);
    expect(relativeError(bench.f32(scale, (rows * k) / 32), expected.scale)).toBeLessThan(1e-6);
    const sums = Int32Array.from(
      { length: (rows * k) / 32 },
      (_, g) => -8 * expected.q.subarray(g * 32, g * 32 + 32).reduce((sum, v) => sum + v, 0),
    );
    expect(bench.arena.i32(correction, sums.length).slice()).toEqual(sums);
  });

  test.each(SHAPES)('gemm_q8_q4 (%i rows, n %i, K %i)', (rows, n, k) => {
    const bench = new Bench(flavour);
    const data = randomBytes((n * k) / 2, 2);
    const scales = randomHalves((n * k) / 32, 3);
    const x = randomFloats(rows * k, 4, 2);
    const expected = matmul(roundTripQ8(x), dequantizeInt4(data, scales, n, k), rows, n, k);
    const w = bench.put(data);
    const wscale = bench.put(scales);
    bench.kernels.repack_q4(w, wscale, n, k, bench.arena.take(2 * k));
    const q = bench.arena.take(rows * k);
    const scale = bench.floats((rows * k) / 32);
    const correction = bench.floats((rows * k) / 32);
    bench.kernels.quantize_q8(q, scale, correction, bench.put(x), rows, k);
    // A stride wider than n: the columns between must stay untouched.
    const ldy = n + 5;
    const y = bench.floats(rows * ldy);
    bench.kernels.gemm_q8_q4(y, ldy, 0, q, scale, correction, w, wscale, rows, n, k, 1);
    const strided = bench.f32(y, rows * ldy);
    const dense = strided.filter((_, i) => i % ldy < n);
    expect(relativeError(dense, expected)).toBeLessThan(2e-6);
    expect(strided.filter((_, i) => i % ldy >= n).every((v) => v === -12345)).toBe(true);
    bench.kernels.gemm_q8_q4(y, ldy, 1, q, scale, correction, w, wscale, rows, n, k, 1);
    const doubled = bench.f32(y, rows * ldy).filter((_, i) => i % ldy < n);
    expect(
      relativeError(
        doubled,
        expected.map((v) => 2 * v),
      ),
    ).toBeLessThan(2e-6);
  });

  test.each(SHAPES)('gemm_q8_q8 (%i rows, n %i, K %i)', (rows, n, k) => {
    const bench = new Bench(flavour);
    const data = randomBytes(n * k, 5);
    const scales = randomHalves((n * k) / 32, 6);
    const x = randomFloats(rows * k, 7, 2);
    const expected = matmul(roundTripQ8(x), dequantizeInt8(data, scales, n, k), rows, n, k);
    const w = bench.put(data);
    const wscale = bench.put(scales);
    bench.kernels.repack_q8(w, wscale, n, k, bench.arena.take(4 * k));
    const q = bench.arena.take(rows * k);
    const scale = bench.floats((rows * k) / 32);
    bench.kernels.quantize_q8(q, scale, bench.floats((rows * k) / 32), bench.put(x), rows, k);
    const y = bench.floats(rows * n);
    bench.kernels.gemm_q8_q8(y, n, 0, q, scale, w, wscale, rows, n, k, 1);
    expect(relativeError(bench.f32(y, rows * n), expected)).toBeLessThan(2e-6);
    bench.kernels.gemm_q8_q8(y, n, 1, q, scale, w, wscale, rows, n, k, 1);
    expect(
      relativeError(
        bench.f32(y, rows * n),
        expected.map((v) => 2 * v),
      ),
    ).toBeLessThan(2e-6);
  });

  test.each(SHAPES)('two limbs: 15-bit activations (%i rows, n %i, K %i)', (rows, n, k) => {
    const bench = new Bench(flavour);
    const x = randomFloats(rows * k, 13, 2);
    const [q4, q8] = [randomBytes((n * k) / 2, 14), randomBytes(n * k, 15)];
    const scales = randomHalves((n * k) / 32, 16);
    const [w4, s4, w8, s8] = [bench.put(q4), bench.put(scales), bench.put(q8), bench.put(scales)] as const;
    bench.kernels.repack_q4(w4, s4, n, k, bench.arena.take(2 * k));
    bench.kernels.repack_q8(w8, s8, n, k, bench.arena.take(4 * k));
    const q = bench.arena.take(2 * rows * k);
    const scale = bench.floats((2 * rows * k) / 32);
    const correction = bench.floats((2 * rows * k) / 32);
    bench.kernels.quantize_q16(q, scale, correction, bench.put(x), rows, k);
    const y = bench.floats(rows * n);
    bench.kernels.gemm_q8_q4(y, n, 0, q, scale, correction, w4, s4, rows, n, k, 2);
    // Against activations that were not rounded at all.
    const expected4 = matmul(x, dequantizeInt4(q4, scales, n, k), rows, n, k);
    expect(relativeError(bench.f32(y, rows * n), expected4)).toBeLessThan(1e-4);
    bench.kernels.gemm_q8_q8(y, n, 0, q, scale, w8, s8, rows, n, k, 2);
    const expected8 = matmul(x, dequantizeInt8(q8, scales, n, k), rows, n, k);
    expect(relativeError(bench.f32(y, rows * n), expected8)).toBeLessThan(1e-4);
  });

  test('extreme int4 weights do not overflow the 16-bit sums', () => {
    const bench = new Bench(flavour);
    const k = 64;
    for (const byte of [0x00, 0xff]) {
      const data = new Uint8Array((4 * k) / 2).fill(byte);
      const scales = new Uint16Array((4 * k) / 32).fill(0x3c00); // 1.0
      for (const sign of [1, -1]) {
        const x = new Float32Array(k).fill(sign);
        const w = bench.put(data);
        const wscale = bench.put(scales);
        bench.kernels.repack_q4(w, wscale, 4, k, bench.arena.take(2 * k));
        const [q, scale, correction, y] = [
          bench.arena.take(k),
          bench.floats(2),
          bench.floats(2),
          bench.floats(4),
        ] as const;
        bench.kernels.quantize_q8(q, scale, correction, bench.put(x), 1, k);
        bench.kernels.gemm_q8_q4(y, 4, 0, q, scale, correction, w, wscale, 1, 4, k, 1);
        const value = sign * k * ((byte & 15) - 8);
        expect(relativeError(bench.f32(y, 4), [value, value, value, value])).toBeLessThan(1e-6);
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

test('both builds give the same bits for int4', () => {
  const outputs = flavours.map((flavour) => {
    const bench = new Bench(flavour);
    const [rows, n, k] = [5, 64, 576];
    const w = bench.put(randomBytes((n * k) / 2, 10));
    const wscale = bench.put(randomHalves((n * k) / 32, 11));
    bench.kernels.repack_q4(w, wscale, n, k, bench.arena.take(2 * k));
    const q = bench.arena.take(rows * k);
    const scale = bench.floats((rows * k) / 32);
    const correction = bench.floats((rows * k) / 32);
    bench.kernels.quantize_q8(q, scale, correction, bench.put(randomFloats(rows * k, 12)), rows, k);
    const y = bench.floats(rows * n);
    bench.kernels.gemm_q8_q4(y, n, 0, q, scale, correction, w, wscale, rows, n, k, 1);
    return bench.f32(y, rows * n);
  });
  expect(outputs[0]).toEqual(outputs[1]);
});
