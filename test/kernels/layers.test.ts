import { describe, expect, test } from 'vitest';
import { pageBytes } from '../../src/model/workspace.ts';
import { attention, dequantizeInt4, dequantizeInt8, rmsNorm, rope, swiglu } from '../../src/reference/scalar.ts';
import { Bench, flavours, randomBytes, randomFloats, randomHalves, relativeError } from '../support/engines/kernels.ts';

describe.each(flavours)('%s', (flavour) => {
  test.each([
    [1, 576],
    [9, 64],
    [3, 4],
  ])('rms_norm (%i, %i), in place too', (rows, d) => {
    const bench = new Bench(flavour);
    const x = randomFloats(rows * d, 1, 20);
    const w = randomFloats(d, 2);
    const expected = rmsNorm(x, w, d, 1e-5);
    const [xa, wa, y] = [bench.put(x), bench.put(w), bench.floats(rows * d)] as const;
    bench.kernels.rms_norm(y, xa, wa, rows, d, 1e-5);
    expect(relativeError(bench.f32(y, rows * d), expected)).toBeLessThan(2e-6);
    bench.kernels.rms_norm(xa, xa, wa, rows, d, 1e-5);
    expect(relativeError(bench.f32(xa, rows * d), expected)).toBeLessThan(2e-6);
  });

  test('add_bias touches its own columns only', () => {
    const bench = new Bench(flavour);
    const x = randomFloats(2 * 12, 3);
    const bias = randomFloats(8, 4);
    const at = bench.put(x);
    bench.kernels.add_bias(at, 12, bench.put(bias), 2, 8);
    const expected = x.map((v, i) => (i % 12 < 8 ? Math.fround(v + (bias[i % 12] ?? 0)) : v));
    expect(bench.f32(at, 24)).toEqual(expected);
  });

  test.each([
    [1, 12, 64, 0],
    [5, 3, 16, 7],
    [3, 2, 8, 1000],
  ])('rope (%i rows, %i heads, d %i, from %i)', (rows, heads, d, start) => {
    const bench = new Bench(flavour);
    const x = randomFloats(rows * heads * d, 5);
    const half = d / 2;
    const table = Float32Array.from({ length: (start + rows) * d }, (_, i) => {
      const angle = Math.floor(i / d) * 10000 ** (-((i % d) % half) / half);
      return i % d < half ? Math.cos(angle) : Math.sin(angle);
    });
    const at = bench.put(x);
    bench.kernels.rope(at, heads * d, bench.put(table), start, rows, heads, d);
    const frequencies = Float64Array.from({ length: half }, (_, i) => 10000 ** (-i / half));
    expect(relativeError(bench.f32(at, x.length), rope(x, rows, start, frequencies, 1))).toBeLessThan(1e-6);
  });

  test.each([
    [1, 1536],
    [7, 32],
  ])('swiglu (%i, %i), saturated gates too', (rows, n) => {
    const bench = new Bench(flavour);
    const gateUp = randomFloats(rows * 2 * n, 6, 12);
    gateUp[0] = 200;
    gateUp[1] = -200;
    const pick = (from: number) => gateUp.filter((_, i) => Math.floor((i % (2 * n)) / n) === from);
    const y = bench.floats(rows * n);
    bench.kernels.swiglu(y, bench.put(gateUp), rows, n);
    expect(relativeError(bench.f32(y, rows * n), swiglu(pick(0), pick(1)))).toBeLessThan(1e-6);
  });

  test.each([8, 10, 19])('embed_q4 and embed_q8, every row of %i', (rows) => {
    const bench = new Bench(flavour);
    const k = 96;
    const scales = randomHalves((rows * k) / 32, 7);
    const q4 = randomBytes((rows * k) / 2, 8);
    const q8 = randomBytes(rows * k, 9);
    const expected4 = dequantizeInt4(q4, scales, rows, k);
    const expected8 = dequantizeInt8(q8, scales, rows, k);
    const [w4, s4, w8, s8] = [bench.put(q4), bench.put(scales), bench.put(q8), bench.put(scales)] as const;
    bench.kernels.repack_q4(w4, s4, rows, k, bench.arena.take(8 * k));
    bench.kernels.repack_q8(w8, s8, rows, k, bench.arena.take(8 * k));
    const y = bench.floats(k);
    for (let row = 0; row < rows; row++) {
      bench.kernels.embed_q4(y, w4, s4, row, rows, k);
      expect(bench.f32(y, k)).toEqual(expected4.slice(row * k, (row + 1) * k));
      bench.kernels.embed_q8(y, w8, s8, row, rows, k);
      expect(bench.f32(y, k)).toEqual(expected8.slice(row * k, (row + 1) * k));
    }
  });

  // [rows, tokens before, heads, kvHeads, d, pageTokens]
  test.each([
    [1, 0, 9, 3, 64, 8],
    [4, 13, 9, 3, 64, 8],
    [8, 300, 9, 3, 64, 16],
    [3, 5, 4, 2, 16, 4],
    [2, 30, 2, 1, 128, 8],
    [5, 2, 4, 4, 32, 3],
    [3, 9, 14, 2, 32, 12],
  ])('kv_store_i16 and attention_i16 (%i rows after %i)', (rows, before, heads, kvHeads, d, pageTokens) => {
    const bench = new Bench(flavour);
    const layers = 2;
    const layer = 1;
    const tokens = before + rows;
    const kvWidth = kvHeads * d;
    const keys = randomFloats(tokens * kvWidth, 10, 3);
    const values = randomFloats(tokens * kvWidth, 11, 3);
    const q = randomFloats(rows * heads * d, 12, 2);
    const bytes = pageBytes({ numLayers: layers, numKvHeads: kvHeads, headDim: d }, pageTokens, 'int16');
    const addresses = Array.from({ length: Math.ceil(tokens / pageTokens) }, () => bench.arena.take(bytes));
    // Pages in no order: the table is what decides.
    const pages = bench.put(Int32Array.from(addresses.reverse()));
    bench.kernels.kv_store_i16(
      pages,
      layer,
      0,
      bench.put(keys),
      bench.put(values),
      kvWidth,
      before,
      kvHeads,
      d,
      pageTokens,
    );
    bench.kernels.kv_store_i16(
      pages,
      layer,
      before,
      bench.put(keys.slice(before * kvWidth)),
      bench.put(values.slice(before * kvWidth)),
      kvWidth,
      rows,
      kvHeads,
      d,
      pageTokens,
    );
    for (const visible of [
      Int32Array.from({ length: rows }, (_, r) => before + r + 1),
      new Int32Array(rows).fill(tokens),
    ]) {
      const out = bench.floats(rows * heads * d);
      const scratch = bench.arena.take(d * 4 + (heads / kvHeads) * (tokens + 8) * 4);
      bench.kernels.attention_i16(
        out,
        bench.put(q),
        heads * d,
        bench.put(visible),
        pages,
        layer,
        rows,
        heads,
        kvHeads,
        d,
        pageTokens,
        scratch,
        0,
        kvHeads,
      );
      const expected = attention(q, keys, values, visible, heads, kvHeads, d);
      expect(relativeError(bench.f32(out, rows * heads * d), expected)).toBeLessThan(5e-4);
    }
  });
});
