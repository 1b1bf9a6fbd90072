/// <reference lib="esnext.float16" />
import { describe, expect, it } from 'vitest';
import { quantizeInt4, quantizeInt8 } from '../../../src/convert/write/quantize.ts';
import { randomWeights } from '../support/tiny-checkpoint.ts';

function int4(weights: ArrayLike<number>) {
  const groups = weights.length / 32;
  const data = new Uint8Array(groups * 16);
  const scales = new Float16Array(groups);
  const sums = quantizeInt4(Float32Array.from(weights), data, scales);
  const values = Array.from(weights, (_, i) => {
    const q = i % 2 === 0 ? data[i >> 1]! & 15 : data[i >> 1]! >> 4;
    // + 0 turns -0 into 0.
    return scales[Math.floor(i / 32)]! * (q - 8) + 0;
  });
  return { data, scales, sums, values };
}

/** What the search has to beat: the scale is the largest magnitude over 7. */
function naiveError(weights: Float32Array): number {
  let error = 0;
  for (let at = 0; at < weights.length; at += 32) {
    const group = weights.subarray(at, at + 32);
    const scale = new Float16Array([Math.max(...group.map(Math.abs)) / 7])[0]!;
    for (const x of group) error += (x - scale * Math.max(-8, Math.min(7, Math.round(x / scale)))) ** 2;
  }
  return error;
}

describe('int4', () => {
  it('stores codes that are exactly representable, low nibble first', () => {
    const levels = Array.from({ length: 32 }, (_, i) => (i % 16) - 8);
    const { data, scales, sums } = int4(levels.map((level) => level * 0.25));
    expect(scales[0]).toBe(0.25);
    // Codes 0, 1, 2, ... 15, twice.
    const bytes = [0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe];
    expect([...data]).toEqual([...bytes, ...bytes]);
    expect(sums.error).toBe(0);
  });

  it('takes a negative scale where the largest weight is positive', () => {
    const levels = Array.from({ length: 32 }, (_, i) => 8 - (i % 16));
    const { data, scales, values } = int4(levels.map((level) => level * 0.25));
    expect(scales[0]).toBe(-0.25);
    expect(data[0]).toBe(0x10);
    expect(values).toEqual(levels.map((level) => level * 0.25));
  });

  it('turns a group of zeros into zeros with scale 0', () => {
    const { data, scales, values, sums } = int4(new Float32Array(64));
    expect([...scales]).toEqual([0, 0]);
    expect(new Set(data)).toEqual(new Set([0x88]));
    expect(values.every((value) => value === 0)).toBe(true);
    expect(sums).toEqual({ error: 0, norm: 0 });
  });

  it('turns weights below any fp16 scale into zeros', () => {
    const { values, sums } = int4(new Float32Array(32).fill(1e-12));
    expect(values.every((value) => value === 0)).toBe(true);
    expect(sums.error).toBeCloseTo(sums.norm, 30);
  });

  it('reports the error that reading the codes back gives, and less than rounding to the largest', () => {
    const weights = randomWeights(32 * 500, 7);
    const { sums, values } = int4(weights);
    const error = weights.reduce((sum, x, i) => sum + (x - values[i]!) ** 2, 0);
    expect(sums.error).toBeCloseTo(error, 9);
    expect(sums.error).toBeLessThan(0.9 * naiveError(weights));
  });

  it('is never worse than rounding, group by group, beyond the rounding of a scale', () => {
    const weights = randomWeights(32 * 200, 8);
    for (let at = 0; at < weights.length; at += 32) {
      const group = weights.slice(at, at + 32);
      expect(int4(group).sums.error).toBeLessThanOrEqual(naiveError(group) * 1.001);
    }
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('shows %s in the norm', (bad) => {
    const weights = randomWeights(64, 9);
    weights[40] = bad;
    expect(Number.isFinite(int4(weights).sums.norm)).toBe(false);
  });

  it('shows a scale that fp16 cannot hold in the error', () => {
    const { sums } = int4(new Float32Array(32).fill(1e9));
    expect(Number.isFinite(sums.norm)).toBe(true);
    expect(Number.isFinite(sums.error)).toBe(false);
  });
});

describe('int8', () => {
  it('stores scale * (q - 128) with the largest magnitude on 127', () => {
    const weights = Float32Array.from({ length: 32 }, (_, i) => (i === 5 ? -127 : i) * 0.5);
    const data = new Uint8Array(32);
    const scales = new Float16Array(1);
    const sums = quantizeInt8(weights, data, scales);
    expect(scales[0]).toBe(0.5);
    expect(data[5]).toBe(1);
    expect(data[6]).toBe(134);
    expect(sums.error).toBe(0);
  });

  it('turns zeros into zeros', () => {
    const data = new Uint8Array(32);
    const scales = new Float16Array(1);
    quantizeInt8(new Float32Array(32), data, scales);
    expect(scales[0]).toBe(0);
    expect(new Set(data)).toEqual(new Set([128]));
  });

  it('leaves less than 1% of relative RMS error', () => {
    const weights = randomWeights(32 * 100, 3);
    const { error, norm } = quantizeInt8(weights, new Uint8Array(3200), new Float16Array(100));
    expect(Math.sqrt(error / norm)).toBeLessThan(0.01);
  });
});
