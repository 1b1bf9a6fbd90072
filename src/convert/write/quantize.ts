/** Quantizes groups of 32 weights to int4 or int8 codes with one fp16 scale each (models/README.md has the layout). */
/// <reference lib="esnext.float16" />
/** Groups of 32 weights to int4 or int8 codes with one fp16 scale each (models/README.md has the layout). */

import { GROUP } from '../../model/manifest.ts';

export interface SquaredSums {
  /** Sum of (weight - stored weight)^2; not finite if fp16 cannot hold a scale. */
  error: number;
  /** Sum of weight^2; not finite if a weight is not. */
  norm: number;
}

/**
 * The group's largest magnitude is put this far from zero, in codes: beyond 8 (or 7) it is clipped. The first five find
 * the grid of weights that lie on one already.
 */
const REACHES = [1, 2, 3, 4, 5, ...Array.from({ length: 16 }, (_, i) => 5.75 + i * 0.25)];
const REFITS = 3;

const group = new Float64Array(GROUP);
const codes = new Uint8Array(GROUP);
const best = new Uint8Array(GROUP);
const half = new Float16Array(1);

/**
 * int4: value = scale * (q - 8), q in 0..15. Codes reach one further down than up, so a scale may be negative: then
 * the largest weight sits on -8 although it is positive. The scale is searched for the least squared error.
 *
 * @param weights [groups * 32]
 * @param data [groups * 16], written: low nibble = even weight
 * @param scales [groups], written
 */
export function quantizeInt4(weights: Float32Array, data: Uint8Array, scales: Float16Array): SquaredSums {
  const sums: SquaredSums = { error: 0, norm: 0 };
  for (let g = 0; g < scales.length; g++) {
    let largest = 0;
    for (let i = 0; i < GROUP; i++) {
      const x = weights[g * GROUP + i]!;
      group[i] = x;
      sums.norm += x * x;
      if (Math.abs(x) > Math.abs(largest)) largest = x;
    }
    scales[g] = chooseInt4(largest, sums);
    for (let i = 0; i < GROUP / 2; i++) data[g * (GROUP / 2) + i] = best[2 * i]! | (best[2 * i + 1]! << 4);
  }
  return sums;
}

/** Leaves the codes of `group` in `best`, adds the squared error to `sums` and returns the scale. */
function chooseInt4(largest: number, sums: SquaredSums): number {
  let scale = searchScale(largest);
  let bestScale = 0;
  let bestError = Number.POSITIVE_INFINITY;
  // Round with the scale as it will be stored, then fit the scale to those codes, and again.
  for (let round = 0; round < REFITS && scale !== 0; round++) {
    half[0] = scale;
    const stored = half[0]!;
    if (stored === 0) break;
    if (!Number.isFinite(stored)) sums.error = Number.POSITIVE_INFINITY;
    const inverse = 1 / stored;
    let dot = 0;
    let square = 0;
    let error = 0;
    for (let i = 0; i < GROUP; i++) {
      const x = group[i]!;
      const q = nearestCode(x * inverse);
      codes[i] = q;
      const level = q - 8;
      const rest = x - stored * level;
      dot += x * level;
      square += level * level;
      error += rest * rest;
    }
    if (error < bestError) {
      bestError = error;
      bestScale = stored;
      best.set(codes);
    }
    scale = square === 0 ? 0 : dot / square;
  }
  if (bestScale === 0) {
    // All zero, or too small for fp16.
    best.fill(8);
    bestError = 0;
    for (let i = 0; i < GROUP; i++) bestError += group[i]! * group[i]!;
  }
  sums.error += bestError;
  return bestScale;
}

/** The scale, fitted to its codes by least squares, that leaves the least error among all reaches and both signs. */
function searchScale(largest: number): number {
  if (largest === 0) return 0;
  let bestScore = -1;
  let bestScale = 0;
  for (let r = 0; r < REACHES.length * 2; r++) {
    const inverse = ((r & 1) === 0 ? -REACHES[r >> 1]! : REACHES[r >> 1]!) / largest;
    let dot = 0;
    let square = 0;
    for (let i = 0; i < GROUP; i++) {
      const x = group[i]!;
      const level = nearestCode(x * inverse) - 8;
      dot += x * level;
      square += level * level;
    }
    // Error after the fit = sum of x^2 - dot^2 / square.
    const score = (dot * dot) / square;
    if (score > bestScore) {
      bestScore = score;
      bestScale = dot / square;
    }
  }
  return bestScale;
}

/** 0..15; truncation after adding 8.5 rounds, and what it does below zero is clamped anyway. */
function nearestCode(level: number): number {
  const q = (level + 8.5) | 0;
  return Math.max(0, Math.min(15, q));
}

/**
 * int8: value = scale * (q - 128), scale = largest magnitude / 127.
 *
 * @param weights [groups * 32]
 * @param data [groups * 32], written
 * @param scales [groups], written
 */
export function quantizeInt8(weights: Float32Array, data: Uint8Array, scales: Float16Array): SquaredSums {
  const sums: SquaredSums = { error: 0, norm: 0 };
  for (let g = 0; g < scales.length; g++) {
    let largest = 0;
    for (let i = 0; i < GROUP; i++) largest = Math.max(largest, Math.abs(weights[g * GROUP + i]!));
    half[0] = largest / 127;
    const scale = half[0]!;
    scales[g] = scale;
    const inverse = scale === 0 ? 0 : 1 / scale;
    for (let i = 0; i < GROUP; i++) {
      const x = weights[g * GROUP + i]!;
      // fp16 may have rounded the scale down.
      const level = Math.max(-127, Math.min(127, Math.round(x * inverse)));
      data[g * GROUP + i] = level + 128;
      const rest = x - scale * level;
      sums.norm += x * x;
      sums.error += rest * rest;
    }
  }
  return sums;
}

/** float32 is stored as it is; only the norm is wanted. */
export function squaredNorm(weights: Float32Array): SquaredSums {
  let norm = 0;
  for (let i = 0; i < weights.length; i++) norm += weights[i]! * weights[i]!;
  return { error: 0, norm };
}
