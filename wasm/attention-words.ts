import { expF32x4, sumF32x4 } from './exp';
import { KV_MAX, layerBytes } from './kv-words';
import { rounder } from './round';
import { Rows1, Rows2, Rows3, Rows4, rowsOf } from './tile';

/** Heads that share a K and V head and are summed together. */
const HEADS: i32 = 4;

/**
 * out = softmax(q K^T / sqrt(d)) V over the pages of one layer, grouped-query.
 *
 * Row r sees positions 0..visible[r]-1. This one number is causal (the row's own position + 1), bidirectional within a block
 * (the block's end), or a mixture of both in one call.
 *
 * out (rows, heads*d) f32; q (rows, ldq) f32, heads from column 0; visible (rows) i32, each >= 1;
 * scratch: 2d i16, then for each head of a K head max(visible) + 8 f32.
 * d is a multiple of 16, at most 256. Only K and V heads `from` to before `to`, as in `attention`.
 *
 * A query becomes two i16 vectors, a coarse one and its rounding error. A single one could have only 12 bits (K has 15),
 * because the dot product must fit an i32. That error showed in the logits.
 */
export function attention_i16(
  out: usize, q: usize, ldq: i32, visible: usize, pages: usize, layer: i32, rows: i32,
  heads: i32, kvHeads: i32, d: i32, pageTokens: i32, scratch: usize, from: i32, to: i32,
): void {
  const group = heads / kvHeads;
  const layerOffset = layer * layerBytes(kvHeads, pageTokens, d);
  const vectors = kvHeads * pageTokens;
  const root = Mathf.sqrt(<f32>d);
  // A stored K is no longer than KV_MAX sqrt(d), so a query of this length keeps every score inside an i32
  // (Cauchy-Schwarz); sqrt(d) is left for its rounding.
  const length = <f32>2147483520.0 / (<f32>KV_MAX * root) - root;
  for (let r = 0; r < rows; r++) {
    const tokens = load<i32>(visible + r * 4);
    const stride = ((tokens + 7) & ~3) * 4; // scores of one head
    const weights = scratch + d * 4;
    for (let shared = from; shared < to; shared++) {
      const keys = layerOffset + shared * pageTokens * d * 2;
      const keyScales = layerOffset + vectors * d * 4 + shared * pageTokens * 4;
      const values = keys + vectors * d * 2;
      const valueScales = keyScales + vectors * 4;
      const first = shared * group;
      for (let part = 0; part < group; part += HEADS) {
        const count = min(HEADS, group - part);
        for (let h = 0; h < count; h++) {
          const query = q + (r * ldq + (first + part + h) * d) * 4;
          const norm = Mathf.sqrt(squares(query, d));
          splitI16(scratch, query, d, norm > 0 ? length / norm : <f32>0.0);
          const at = weights + h * stride;
          const scale = norm / (length * root);
          const most =
            (pageTokens & 3) == 0
              ? scoreFours(at, scratch, pages, keys, keyScales, tokens, d, pageTokens, scale)
              : scoreOnes(at, scratch, pages, keys, keyScales, tokens, d, pageTokens, scale);
          softmax(at, tokens, most, pages, valueScales, pageTokens);
        }
        const to = out + (r * heads + first + part) * d * 4;
        if (count == 1) weightedSum<Rows1>(to, weights, stride, pages, values, tokens, d, pageTokens);
        else if (count == 2) weightedSum<Rows2>(to, weights, stride, pages, values, tokens, d, pageTokens);
        else if (count == 3) weightedSum<Rows3>(to, weights, stride, pages, values, tokens, d, pageTokens);
        else weightedSum<Rows4>(to, weights, stride, pages, values, tokens, d, pageTokens);
      }
    }
  }
}

function squares(x: usize, d: i32): f32 {
  let sum = f32x4.splat(0);
  for (let j = 0; j < d * 4; j += 16) sum = f32x4.add(sum, f32x4.mul(v128.load(x + j), v128.load(x + j)));
  return sumF32x4(sum);
}

/** The fine half of a query is in units of 1/512: it is at most 256, so its dot products fit an i32 too. */
// @ts-ignore: decorator
@inline
const FINE: f32 = 512;

/** y: per 8 of d, 8 i16 coarse and 8 i16 fine: x * factor = coarse + fine / 512. */
function splitI16(y: usize, x: usize, d: i32, factor: f32): void {
  const f = f32x4.splat(factor);
  const unit = f32x4.splat(FINE);
  const magic = rounder();
  for (let j = 0; j < d * 4; j += 32) {
    const x0 = f32x4.mul(v128.load(x + j, 0), f);
    const x1 = f32x4.mul(v128.load(x + j, 16), f);
    const c0 = f32x4.add(x0, magic);
    const c1 = f32x4.add(x1, magic);
    const f0 = f32x4.add(f32x4.mul(f32x4.sub(x0, f32x4.sub(c0, magic)), unit), magic);
    const f1 = f32x4.add(f32x4.mul(f32x4.sub(x1, f32x4.sub(c1, magic)), unit), magic);
    v128.store(y + j, i16x8.narrow_i32x4_s(i32x4.sub(c0, magic), i32x4.sub(c1, magic)), 0);
    v128.store(y + j, i16x8.narrow_i32x4_s(i32x4.sub(f0, magic), i32x4.sub(f1, magic)), 16);
  }
}

/** Four sums of four lanes each: (sum a, sum b, sum c, sum d). */
// @ts-ignore: decorator
@inline
function sumEach(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = i32x4.add(v128.shuffle<i32>(a, b, 0, 4, 1, 5), v128.shuffle<i32>(a, b, 2, 6, 3, 7));
  const cd = i32x4.add(v128.shuffle<i32>(c, d, 0, 4, 1, 5), v128.shuffle<i32>(c, d, 2, 6, 3, 7));
  return i32x4.add(v128.shuffle<i64>(ab, cd, 0, 2), v128.shuffle<i64>(ab, cd, 1, 3));
}

// @ts-ignore: decorator
@inline
function addDot(sum: v128, q: v128, k: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(q, k));
}

const LANES: usize = memory.data<i32>([0, 1, 2, 3], 16);

/** scores[t] = q K[t] for t < tokens; returns the largest. `pageTokens` is a multiple of 4: four tokens at a time. */
function scoreFours(
  scores: usize, q: usize, pages: usize, keys: i32, keyScales: i32, tokens: i32, d: i32, pageTokens: i32, scale: f32,
): f32 {
  const row = d * 2;
  const fine = f32x4.splat(<f32>1.0 / FINE);
  const scales = f32x4.splat(scale);
  let most = f32x4.splat(-Infinity as f32);
  for (let t = 0; t < tokens; t += pageTokens) {
    const page = <usize>load<i32>(pages);
    pages += 4;
    let keyScale = page + keyScales;
    let k0 = page + keys;
    const n = min(pageTokens, tokens - t);
    for (let s = 0; s < n; s += 4) {
      let k1 = k0 + row;
      let k2 = k1 + row;
      let k3 = k2 + row;
      let c0 = i32x4.splat(0), c1 = c0, c2 = c0, c3 = c0;
      let f0 = c0, f1 = c0, f2 = c0, f3 = c0;
      let a = q;
      for (const end = q + d * 4; a < end; a += 64) {
        let coarse = v128.load(a, 0);
        let rest = v128.load(a, 16);
        let key = v128.load(k0, 0);
        c0 = addDot(c0, coarse, key);
        f0 = addDot(f0, rest, key);
        key = v128.load(k1, 0);
        c1 = addDot(c1, coarse, key);
        f1 = addDot(f1, rest, key);
        key = v128.load(k2, 0);
        c2 = addDot(c2, coarse, key);
        f2 = addDot(f2, rest, key);
        key = v128.load(k3, 0);
        c3 = addDot(c3, coarse, key);
        f3 = addDot(f3, rest, key);
        coarse = v128.load(a, 32);
        rest = v128.load(a, 48);
        key = v128.load(k0, 16);
        c0 = addDot(c0, coarse, key);
        f0 = addDot(f0, rest, key);
        key = v128.load(k1, 16);
        c1 = addDot(c1, coarse, key);
        f1 = addDot(f1, rest, key);
        key = v128.load(k2, 16);
        c2 = addDot(c2, coarse, key);
        f2 = addDot(f2, rest, key);
        key = v128.load(k3, 16);
        c3 = addDot(c3, coarse, key);
        f3 = addDot(f3, rest, key);
        k0 += 32;
        k1 += 32;
        k2 += 32;
        k3 += 32;
      }
      k0 = k3;
      const whole = f32x4.convert_i32x4_s(sumEach(c0, c1, c2, c3));
      const part = f32x4.convert_i32x4_s(sumEach(f0, f1, f2, f3));
      const dot = f32x4.add(whole, f32x4.mul(part, fine));
      let score = f32x4.mul(dot, f32x4.mul(scales, v128.load(keyScale)));
      if (s + 4 > n) {
        // What lies after the last visible token in its page may be of another sequence.
        const seen = i32x4.lt_s(v128.load(LANES), i32x4.splat(n - s));
        score = v128.bitselect(score, f32x4.splat(-Infinity as f32), seen);
      }
      most = f32x4.pmax(most, score);
      v128.store(scores, score);
      scores += 16;
      keyScale += 16;
    }
  }
  return Mathf.max(
    Mathf.max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)),
    Mathf.max(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)),
  );
}

/** As `scoreFours`, for pages of any length. */
function scoreOnes(
  scores: usize, q: usize, pages: usize, keys: i32, keyScales: i32, tokens: i32, d: i32, pageTokens: i32, scale: f32,
): f32 {
  let most = -Infinity as f32;
  for (let t = 0; t < tokens; t++) {
    const page = <usize>load<i32>(pages + (t / pageTokens) * 4);
    const slot = t % pageTokens;
    const key = page + keys + slot * d * 2;
    let coarse = i32x4.splat(0);
    let fine = i32x4.splat(0);
    for (let j = 0; j < d * 2; j += 16) {
      coarse = addDot(coarse, v128.load(q + j * 2, 0), v128.load(key + j));
      fine = addDot(fine, v128.load(q + j * 2, 16), v128.load(key + j));
    }
    const dot = <f32>sumI32x4(coarse) + <f32>sumI32x4(fine) * (<f32>1.0 / FINE);
    const score = dot * (scale * load<f32>(page + keyScales + slot * 4));
    store<f32>(scores + t * 4, score);
    most = Mathf.max(most, score);
  }
  return most;
}

// @ts-ignore: decorator
@inline
function sumI32x4(x: v128): i32 {
  return i32x4.extract_lane(x, 0) + i32x4.extract_lane(x, 1) + i32x4.extract_lane(x, 2) + i32x4.extract_lane(x, 3);
}

/** scores := softmax(scores) times the scale of each token's V, so that the weighted sum can read V's integers. */
function softmax(scores: usize, tokens: i32, most: f32, pages: usize, valueScales: i32, pageTokens: i32): void {
  // The last vector may reach past `tokens`: scores there must count as zero.
  for (let t = tokens; t & 3; t++) store<f32>(scores + t * 4, -Infinity as f32);
  const shift = f32x4.splat(most);
  let sum = f32x4.splat(0);
  const bytes = tokens * 4;
  for (let at = 0; at < bytes; at += 16) {
    const e = expF32x4(f32x4.sub(v128.load(scores + at), shift));
    v128.store(scores + at, e);
    sum = f32x4.add(sum, e);
  }
  const inverse = <f32>1.0 / sumF32x4(sum);
  if ((pageTokens & 3) == 0) {
    const inverses = f32x4.splat(inverse);
    for (let t = 0; t < tokens; t += pageTokens) {
      const scales = <usize>load<i32>(pages + (t / pageTokens) * 4) + valueScales;
      const end = min(pageTokens, tokens - t) * 4;
      for (let s = 0; s < end; s += 16) {
        const weight = f32x4.mul(v128.load(scores), inverses);
        v128.store(scores, f32x4.mul(weight, v128.load(scales + s)));
        scores += 16;
      }
    }
    return;
  }
  for (let t = 0; t < tokens; t++) {
    const scale = load<f32>(<usize>load<i32>(pages + (t / pageTokens) * 4) + valueScales + (t % pageTokens) * 4);
    store<f32>(scores + t * 4, load<f32>(scores + t * 4) * inverse * scale);
  }
}

// @ts-ignore: decorator
@inline
function addProduct(sum: v128, x: v128, y: v128): v128 {
  return f32x4.add(sum, f32x4.mul(x, y));
}

/**
 * out (H, d) = weights (H, stride) V for H heads, 8 of d at a time: V is converted once for all of them.
 * `stride` in bytes.
 */
function weightedSum<H>(
  out: usize, weights: usize, stride: i32, pages: usize, values: i32, tokens: i32, d: i32, pageTokens: i32,
): void {
  const w1 = stride;
  const w2 = 2 * stride;
  const w3 = 3 * stride;
  for (let j = 0; j < d * 2; j += 16) {
    let o00 = f32x4.splat(0), o01 = o00, o10 = o00, o11 = o00, o20 = o00, o21 = o00, o30 = o00, o31 = o00;
    let w = weights;
    let page = pages;
    for (let t = 0; t < tokens; t += pageTokens) {
      let v = <usize>load<i32>(page) + values + j;
      page += 4;
      for (const end = w + min(pageTokens, tokens - t) * 4; w < end; w += 4) {
        const v0 = f32x4.convert_i32x4_s(v128.load16x4_s(v, 0));
        const v1 = f32x4.convert_i32x4_s(v128.load16x4_s(v, 8));
        v += d * 2;
        let x = v128.load32_splat(w);
        o00 = addProduct(o00, x, v0);
        o01 = addProduct(o01, x, v1);
        if (rowsOf<H>() > 1) { x = v128.load32_splat(w + w1); o10 = addProduct(o10, x, v0); o11 = addProduct(o11, x, v1); }
        if (rowsOf<H>() > 2) { x = v128.load32_splat(w + w2); o20 = addProduct(o20, x, v0); o21 = addProduct(o21, x, v1); }
        if (rowsOf<H>() > 3) { x = v128.load32_splat(w + w3); o30 = addProduct(o30, x, v0); o31 = addProduct(o31, x, v1); }
      }
    }
    const to = out + j * 2;
    v128.store(to, o00, 0);
    v128.store(to, o01, 16);
    if (rowsOf<H>() > 1) { v128.store(to + d * 4, o10, 0); v128.store(to + d * 4, o11, 16); }
    if (rowsOf<H>() > 2) { v128.store(to + d * 8, o20, 0); v128.store(to + d * 8, o21, 16); }
    if (rowsOf<H>() > 3) { v128.store(to + d * 12, o30, 0); v128.store(to + d * 12, o31, 16); }
  }
}
