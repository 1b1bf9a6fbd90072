/**
 * The oracle: every kernel of `wasm/` again, in plain TypeScript on typed arrays, written to be read. Sums run in
 * doubles. So a difference from a kernel is the kernel's rounding.
 */

import { halfToFloat } from '../model/half-float.ts';

const GROUP = 32;

/** int4 in the file's layout to floats. data (N, K/32, 16), scales (N, K/32) fp16 bits -> (N, K). */
export function dequantizeInt4(data: Uint8Array, scales: Uint16Array, n: number, k: number): Float32Array {
  return Float32Array.from({ length: n * k }, (_, i) => {
    const byte = data[i >> 1]!;
    return halfToFloat(scales[Math.floor(i / GROUP)]!) * ((i & 1 ? byte >> 4 : byte & 15) - 8);
  });
}

/** int8 in the file's layout (zero point 128) to floats. */
export function dequantizeInt8(data: Uint8Array, scales: Uint16Array, n: number, k: number): Float32Array {
  return Float32Array.from({ length: n * k }, (_, i) => halfToFloat(scales[Math.floor(i / GROUP)]!) * (data[i]! - 128));
}

/** Rounds half to even, as WASM's `nearest` does. */
function nearest(x: number): number {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** x (rows, K) -> int8 values, one scale per group of 32. */
export function quantizeQ8(x: Float32Array): { q: Int8Array; scale: Float32Array } {
  const scale = new Float32Array(x.length / GROUP);
  const q = new Int8Array(x.length);
  for (let g = 0; g < scale.length; g++) {
    const group = x.subarray(g * GROUP, (g + 1) * GROUP);
    const max = group.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    scale[g] = max / 127;
    const inverse = Math.fround(max > 0 ? 127 / max : 0);
    group.forEach((v, j) => {
      q[g * GROUP + j] = nearest(Math.fround(v * inverse));
    });
  }
  return { q, scale };
}

/** The input of an int8 GEMM after rounding. */
export function roundTripQ8(x: Float32Array): Float32Array {
  const { q, scale } = quantizeQ8(x);
  return Float32Array.from(q, (v, i) => v * scale[Math.floor(i / GROUP)]!);
}

/** Each vector of d values rounded to whole multiples of its largest magnitude / `steps`. */
function roundVectors(x: Float32Array, d: number, steps: number): Float32Array {
  const y = new Float32Array(x.length);
  for (let at = 0; at < x.length; at += d) {
    const vector = x.subarray(at, at + d);
    const most = vector.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    const factor = Math.fround(most > 0 ? steps / most : 0);
    const scale = Math.fround(most / steps);
    for (let j = 0; j < d; j++) y[at + j] = nearest(Math.fround(vector[j]! * factor)) * scale;
  }
  return y;
}

/** K or V after a stay in a page of int8: one scale for each vector of d values. */
export function roundTripKv(x: Float32Array, d: number): Float32Array {
  return roundVectors(x, d, 127);
}

/** Queries as `attention` over pages of int8 reads them: 14 bits with the sign. */
export function roundTripQueries(q: Float32Array, d: number): Float32Array {
  return roundVectors(q, d, 8191);
}

/**
 * Weights of a softmax as `attention` over pages of int8 reads them: times the scale of their V, in 14 bits of the largest
 * product; fewer if the products would add up to more than 16 million of those steps.
 */
function roundWeights(weights: Float64Array, values: readonly Float32Array[]): Float64Array {
  const scales = values.map((v) => v.reduce((m, x) => Math.max(m, Math.abs(x)), 0) / 127);
  const products = weights.map((w, t) => w * scales[t]!);
  const most = products.reduce((m, x) => Math.max(m, x), 0);
  if (most === 0) return weights;
  const factor = Math.min(16383 / most, 16e6 / products.reduce((sum, x) => sum + x, 0));
  return products.map((x, t) => (scales[t] === 0 ? 0 : nearest(x * factor) / factor / scales[t]!));
}

/** y (rows, n) = x (rows, K) w (n, K)^T. */
export function matmul(x: Float32Array, w: Float32Array, rows: number, n: number, k: number): Float32Array {
  const y = new Float32Array(rows * n);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < n; c++) {
      let sum = 0;
      for (let j = 0; j < k; j++) sum += x[r * k + j]! * w[c * k + j]!;
      y[r * n + c] = sum;
    }
  }
  return y;
}

/** RMSNorm over the last axis of length d. */
export function rmsNorm(x: Float32Array, w: Float32Array, d: number, eps: number): Float32Array {
  const y = new Float32Array(x.length);
  for (let at = 0; at < x.length; at += d) {
    let sum = 0;
    for (let j = 0; j < d; j++) sum += x[at + j]! ** 2;
    const inverse = 1 / Math.sqrt(sum / d + eps);
    for (let j = 0; j < d; j++) y[at + j] = x[at + j]! * inverse * w[j]!;
  }
  return y;
}

/**
 * Rotate-half RoPE of x (rows, heads, d); row r at position start + r.
 * @param frequencies radians a position (d/2)
 * @param magnitude multiplies cosines and sines
 */
export function rope(
  x: Float32Array,
  rows: number,
  start: number,
  frequencies: Float64Array,
  magnitude: number,
): Float32Array {
  const y = new Float32Array(x.length);
  const half = frequencies.length;
  const d = 2 * half;
  const width = x.length / rows;
  for (let at = 0; at < x.length; at += d) {
    const position = start + Math.floor(at / width);
    for (let i = 0; i < half; i++) {
      const angle = position * frequencies[i]!;
      const [cosine, sine] = [magnitude * Math.cos(angle), magnitude * Math.sin(angle)];
      const a = x[at + i]!;
      const b = x[at + half + i]!;
      y[at + i] = a * cosine - b * sine;
      y[at + half + i] = b * cosine + a * sine;
    }
  }
  return y;
}

/**
 * q (rows, heads, d), keys and values (tokens, kvHeads, d); row r sees the first visible[r] tokens. -> (rows, heads, d)
 * @param rounded round the weights as the kernel over pages of int8 does
 */
export function attention(
  q: Float32Array,
  keys: Float32Array,
  values: Float32Array,
  visible: Int32Array,
  heads: number,
  kvHeads: number,
  d: number,
  rounded = false,
): Float32Array {
  const out = new Float32Array(q.length);
  visible.forEach((tokens, r) => {
    for (let h = 0; h < heads; h++) {
      const kv = Math.floor(h / (heads / kvHeads));
      const at = (r * heads + h) * d;
      const scores = Float64Array.from({ length: tokens }, (_, t) => {
        let dot = 0;
        for (let j = 0; j < d; j++) dot += q[at + j]! * keys[(t * kvHeads + kv) * d + j]!;
        return dot / Math.sqrt(d);
      });
      const plain = softmax(scores);
      const vectors = Array.from({ length: tokens }, (_, t) => values.subarray((t * kvHeads + kv) * d).subarray(0, d));
      const weights = rounded ? roundWeights(plain, vectors) : plain;
      for (let j = 0; j < d; j++) {
        let sum = 0;
        for (let t = 0; t < tokens; t++) sum += weights[t]! * vectors[t]![j]!;
        out[at + j] = sum;
      }
    }
  });
  return out;
}

function softmax(x: Float64Array): Float64Array {
  const most = x.reduce((m, v) => Math.max(m, v), Number.NEGATIVE_INFINITY);
  const e = x.map((v) => Math.exp(v - most));
  const total = e.reduce((sum, v) => sum + v, 0);
  return e.map((v) => v / total);
}

/** silu(gate) * up. */
export function swiglu(gate: Float32Array, up: Float32Array): Float32Array {
  return gate.map((g, i) => (g / (1 + Math.exp(-g))) * up[i]!);
}

/** The question about a row: how its id is chosen, and an id whose probability is returned too. */
export interface HeadAsk {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  /** Least share of the best id's probability. Absent: 0. */
  readonly minP?: number | undefined;
  readonly uniform: number;
  /** Negative: none. */
  readonly target: number;
  /** Distinct ids, and additions to their logits before the choice. */
  readonly ids: Int32Array; // (A)
  readonly deltas: Float32Array; // (A)
  /** Repetition penalties, before the additions. Absent: none. */
  readonly factors?: Float32Array | undefined; // (A)
}

export interface HeadPrediction {
  readonly id: number;
  readonly prob: number;
  readonly entropy: number;
  readonly targetProb: number;
}

/** One row of logits (V) to a prediction; see `wasm/head.ts` for the rules. */
export function headPredict(logits: Float32Array, maskId: number, ask: HeadAsk): HeadPrediction {
  const x = Float64Array.from(logits, (v, i) => (i === maskId ? Number.NEGATIVE_INFINITY : v));
  const plain = softmax(x);
  const entropy = plain.reduce((h, p) => (p > 0 ? h - p * Math.log(p) : h), 0);
  ask.ids.forEach((id, i) => {
    const factor = ask.factors ? ask.factors[i]! : 1;
    x[id] = (x[id]! > 0 ? x[id]! / factor : x[id]! * factor) + ask.deltas[i]!;
  });
  const id =
    ask.temperature > 0
      ? drawId(softmax(x.map((v) => v / ask.temperature)), ask)
      : x.reduce((best, v, i) => (v > x[best]! ? i : best), 0);
  return { id, prob: plain[id]!, entropy, targetProb: ask.target < 0 ? 0 : plain[ask.target]! };
}

function drawId(probs: Float64Array, { topK, topP, minP = 0, uniform }: HeadAsk): number {
  const sorted = probs.slice().sort().reverse();
  let cut = minP * sorted[0]!;
  if (topK > 0) cut = Math.max(cut, sorted[Math.min(topK, sorted.length) - 1]!);
  const mass = () => probs.reduce((sum, p) => (p >= cut ? sum + p : sum), 0);
  if (topP < 1) {
    const wanted = topP * mass();
    let sum = 0;
    for (const p of sorted) {
      sum += p;
      if (sum >= wanted) {
        cut = Math.max(cut, p);
        break;
      }
    }
  }
  const target = uniform * mass();
  let seen = 0;
  let last = 0;
  for (const [i, p] of probs.entries()) {
    if (p < cut || p === 0) continue;
    last = i;
    seen += p;
    if (seen > target) break;
  }
  return last;
}
