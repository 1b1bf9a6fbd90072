import { expF32x4, sumF32x4 } from './exp';
import { KV_MAX, layerBytes } from './kv';

/**
 * out = softmax(q K^T / sqrt(d)) V over the pages of one layer, grouped-query.
 *
 * Row r sees positions 0..visible[r]-1: that one number is causal (its own position + 1), bidirectional within a
 * block (the block's end), or any mixture in one call.
 *
 * out (rows, heads*d) f32; q (rows, ldq) f32, heads from column 0; visible (rows) i32, each >= 1;
 * scratch: 2d i16, then max(visible) f32 rounded up to 4. d is a multiple of 16, at most 256.
 *
 * A query becomes two i16 vectors, a coarse one and what it left over: one alone has 12 bits where K has 15, because
 * their product must fit an i32, and that error showed in the logits.
 */
export function attention(
  out: usize, q: usize, ldq: i32, visible: usize, pages: usize, layer: i32, rows: i32,
  heads: i32, kvHeads: i32, d: i32, pageTokens: i32, scratch: usize,
): void {
  const group = heads / kvHeads;
  const layerOffset = layer * layerBytes(kvHeads, pageTokens, d);
  const vectors = kvHeads * pageTokens;
  const scores = scratch + d * 4;
  const root = Mathf.sqrt(<f32>d);
  // A stored K is no longer than KV_MAX sqrt(d), so a query of this length keeps every score inside an i32
  // (Cauchy-Schwarz); sqrt(d) is left for its rounding.
  const length = <f32>2147483520.0 / (<f32>KV_MAX * root) - root;
  for (let r = 0; r < rows; r++) {
    const tokens = load<i32>(visible + r * 4);
    for (let h = 0; h < heads; h++) {
      const query = q + (r * ldq + h * d) * 4;
      const norm = Mathf.sqrt(squares(query, d));
      splitI16(scratch, query, d, norm > 0 ? length / norm : <f32>0.0);
      const scale = norm / (length * root);
      const head = layerOffset + (h / group) * pageTokens * d * 2;
      const headScales = layerOffset + vectors * d * 4 + (h / group) * pageTokens * 4;
      let most = -Infinity as f32;
      for (let t = 0; t < tokens; t += pageTokens) {
        const page = <usize>load<i32>(pages + (t / pageTokens) * 4);
        const n = min(pageTokens, tokens - t);
        for (let s = 0; s < n; s++) {
          const dot = dotQuery(scratch, page + head + s * d * 2, d);
          const score = dot * (scale * load<f32>(page + headScales + s * 4));
          store<f32>(scores + (t + s) * 4, score);
          most = Mathf.max(most, score);
        }
      }
      const total = softmaxNumerators(scores, tokens, most);
      // V's scales go into the weights, so that the sum below reads integers and one weight per token.
      for (let t = 0; t < tokens; t += pageTokens) {
        const page = <usize>load<i32>(pages + (t / pageTokens) * 4);
        const n = min(pageTokens, tokens - t);
        for (let s = 0; s < n; s++) {
          const at = scores + (t + s) * 4;
          store<f32>(at, load<f32>(at) * load<f32>(page + headScales + vectors * 4 + s * 4));
        }
      }
      weightedSum(out + (r * heads + h) * d * 4, scores, total, pages, head + vectors * d * 2, tokens, d, pageTokens);
    }
  }
}

function squares(x: usize, d: i32): f32 {
  let sum = f32x4.splat(0);
  for (let j = 0; j < d * 4; j += 16) sum = f32x4.add(sum, f32x4.mul(v128.load(x + j), v128.load(x + j)));
  return sumF32x4(sum);
}

/** The left-over half of a query is in units of 1/512: at most 256 then, and its dot products fit an i32 as well. */
// @ts-ignore: decorator
@inline
const FINE: f32 = 512;

/** y (d) i16 coarse, then (d) i16 fine: x * factor = coarse + fine / 512. */
function splitI16(y: usize, x: usize, d: i32, factor: f32): void {
  const f = f32x4.splat(factor);
  const unit = f32x4.splat(FINE);
  for (let j = 0; j < d; j += 4) {
    const value = f32x4.mul(v128.load(x + j * 4), f);
    const coarse = f32x4.nearest(value);
    const fine = f32x4.nearest(f32x4.mul(f32x4.sub(value, coarse), unit));
    const both = i16x8.narrow_i32x4_s(i32x4.trunc_sat_f32x4_s(coarse), i32x4.trunc_sat_f32x4_s(fine));
    v128.store64_lane(y + j * 2, both, 0);
    v128.store64_lane(y + (d + j) * 2, both, 1);
  }
}

/** Dot product of a split query and a stored K. */
// @ts-ignore: decorator
@inline
function dotQuery(q: usize, k: usize, d: i32): f32 {
  const fineQ = q + d * 2;
  let coarse = i32x4.splat(0);
  let fine = i32x4.splat(0);
  for (let j = 0; j < d * 2; j += 16) {
    const key = v128.load(k + j);
    coarse = i32x4.add(coarse, i32x4.dot_i16x8_s(v128.load(q + j), key));
    fine = i32x4.add(fine, i32x4.dot_i16x8_s(v128.load(fineQ + j), key));
  }
  return <f32>sumI32x4(coarse) + <f32>sumI32x4(fine) * (<f32>1.0 / FINE);
}

// @ts-ignore: decorator
@inline
function sumI32x4(x: v128): i32 {
  return i32x4.extract_lane(x, 0) + i32x4.extract_lane(x, 1) + i32x4.extract_lane(x, 2) + i32x4.extract_lane(x, 3);
}

/** scores := e^(score - most) in place; returns their sum. */
function softmaxNumerators(scores: usize, tokens: i32, most: f32): f32 {
  // The last vector may reach past `tokens`: scores there must count as zero.
  for (let t = tokens; t & 3; t++) store<f32>(scores + t * 4, -Infinity as f32);
  const shift = f32x4.splat(most);
  let sum = f32x4.splat(0);
  for (let t = 0; t < tokens; t += 4) {
    const e = expF32x4(f32x4.sub(v128.load(scores + t * 4), shift));
    v128.store(scores + t * 4, e);
    sum = f32x4.add(sum, e);
  }
  return sumF32x4(sum);
}

function weightedSum(
  out: usize, weights: usize, total: f32, pages: usize, values: i32, tokens: i32, d: i32, pageTokens: i32,
): void {
  const inverse = f32x4.splat(<f32>1.0 / total);
  for (let j = 0; j < d; j += 16) {
    let o0 = f32x4.splat(0);
    let o1 = f32x4.splat(0);
    let o2 = f32x4.splat(0);
    let o3 = f32x4.splat(0);
    for (let t = 0; t < tokens; t += pageTokens) {
      let v = <usize>load<i32>(pages + (t / pageTokens) * 4) + values + j * 2;
      const n = min(pageTokens, tokens - t);
      for (let s = 0; s < n; s++) {
        const w = v128.load32_splat(weights + (t + s) * 4);
        o0 = f32x4.add(o0, f32x4.mul(w, f32x4.convert_i32x4_s(v128.load16x4_s(v))));
        o1 = f32x4.add(o1, f32x4.mul(w, f32x4.convert_i32x4_s(v128.load16x4_s(v, 8))));
        o2 = f32x4.add(o2, f32x4.mul(w, f32x4.convert_i32x4_s(v128.load16x4_s(v, 16))));
        o3 = f32x4.add(o3, f32x4.mul(w, f32x4.convert_i32x4_s(v128.load16x4_s(v, 24))));
        v += d * 2;
      }
    }
    v128.store(out + j * 4, f32x4.mul(o0, inverse), 0);
    v128.store(out + j * 4, f32x4.mul(o1, inverse), 16);
    v128.store(out + j * 4, f32x4.mul(o2, inverse), 32);
    v128.store(out + j * 4, f32x4.mul(o3, inverse), 48);
  }
}
