import { rowsOf } from './tile';

/**
 * The two integer products of attention, for a tile of up to three queries that read the same K and V head. A load of 16 bytes
 * of K or V serves all of them. Numbers on the other side (queries, weights of the softmax) have 14 bits, in records of 8
 * bytes for four numbers, the queries of a tile by turns. There are two encodings:
 *   `Bytes`: 4 bytes of high halves (7 bits), 4 bytes of low halves. Engines take the second operand of the relaxed dot product
 *     as 7 bits, and all of them agree on numbers from 0 to 127. The two sums are joined at the end.
 *   `Words`: 4 words. The two sums are of the first and the second half of the 16 bytes.
 * `Bytes` is the faster one where a processor adds four products of bytes in one instruction (`dot.ts`), `Words` elsewhere.
 * Sums are exact in 32 bits, so the order of summation does not matter, and both encodings give the same.
 *
 * Read the order of the statements as the order of the instructions: twelve sums, two vectors of K or V and a splat fill the 15
 * vector registers that V8 has on x64. With words there are half as many sums at a time.
 */

/** Bytes of four numbers of one query. */
export const RECORD: i32 = 8;

@unmanaged
export class Bytes {
  a!: u8;
}
@unmanaged
export class Words {
  a!: u8;
  b!: u8;
}

// @ts-ignore: decorator
@inline
function inBytes<E>(): bool {
  return offsetof<E>() == offsetof<Bytes>();
}

// @ts-ignore: decorator
@inline
function dot(sum: v128, a: v128, x: v128): v128 {
  return i32x4.relaxed_dot_i8x16_i7x16_add_s(a, x, sum);
}

// @ts-ignore: decorator
@inline
function dotWords(sum: v128, a: v128, x: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(a, x));
}

/** Joins the two sums: high and low halves, or pairs of lanes of the first and the second eight bytes. */
// @ts-ignore: decorator
@inline
function join<E>(a: v128, b: v128): v128 {
  if (inBytes<E>()) return i32x4.add(i32x4.shl(a, 7), b);
  return i32x4.add(v128.shuffle<i32>(a, b, 0, 2, 4, 6), v128.shuffle<i32>(a, b, 1, 3, 5, 7));
}

/**
 * scores (R, stride bytes) f32 of all slots of the pages of `tokens` tokens: q K times K's scale and the query's. A place in a
 * page without a visible token gets -inf. Up to four floats after the last page are overwritten.
 *
 * q: d / 4 times R records. keys: offset of K in a page. scales: K scales (slots) f32, and `stride` bytes after them the
 * corrections i32, of all pages. f0, f1, f2: scales of the queries.
 */
export function scoreTile<R, E>(
  scores: usize, stride: i32, q: usize, pages: usize, keys: i32, tokens: i32, d: i32, pageTokens: i32, slots: i32,
  scales: usize, f0: f32, f1: f32, f2: f32,
): void {
  const end = q + (d >> 2) * rowsOf<R>() * RECORD;
  for (let t = 0; t < tokens; t += pageTokens) {
    let k = <usize>load<i32>(pages) + keys;
    pages += 4;
    const n = min(pageTokens, tokens - t);
    let at = scores;
    let scale = scales;
    for (let s = 0; s < n; s += 8) {
      let a0 = i32x4.splat(0), a1 = a0, a2 = a0, b0 = a0, b1 = a0, b2 = a0;
      let c0 = a0, c1 = a0, c2 = a0, e0 = a0, e1 = a0, e2 = a0;
      let x: v128, u: v128, v: v128;
      if (inBytes<E>()) {
        let second = k + 4 * d;
        for (let a = q; a < end; a += 4 * rowsOf<R>() * RECORD) {
          u = v128.load(k, 0);
          v = v128.load(second, 0);
          x = v128.load32_splat(a, 0); a0 = dot(a0, u, x); c0 = dot(c0, v, x);
          if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 8); a1 = dot(a1, u, x); c1 = dot(c1, v, x); }
          if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 16); a2 = dot(a2, u, x); c2 = dot(c2, v, x); }
          x = v128.load32_splat(a, 4); b0 = dot(b0, u, x); e0 = dot(e0, v, x);
          if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 12); b1 = dot(b1, u, x); e1 = dot(e1, v, x); }
          if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 20); b2 = dot(b2, u, x); e2 = dot(e2, v, x); }
          u = v128.load(k, 16);
          v = v128.load(second, 16);
          x = v128.load32_splat(a, 1 * rowsOf<R>() * RECORD + 0); a0 = dot(a0, u, x); c0 = dot(c0, v, x);
          if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 1 * rowsOf<R>() * RECORD + 8); a1 = dot(a1, u, x); c1 = dot(c1, v, x); }
          if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 1 * rowsOf<R>() * RECORD + 16); a2 = dot(a2, u, x); c2 = dot(c2, v, x); }
          x = v128.load32_splat(a, 1 * rowsOf<R>() * RECORD + 4); b0 = dot(b0, u, x); e0 = dot(e0, v, x);
          if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 1 * rowsOf<R>() * RECORD + 12); b1 = dot(b1, u, x); e1 = dot(e1, v, x); }
          if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 1 * rowsOf<R>() * RECORD + 20); b2 = dot(b2, u, x); e2 = dot(e2, v, x); }
          u = v128.load(k, 32);
          v = v128.load(second, 32);
          x = v128.load32_splat(a, 2 * rowsOf<R>() * RECORD + 0); a0 = dot(a0, u, x); c0 = dot(c0, v, x);
          if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 2 * rowsOf<R>() * RECORD + 8); a1 = dot(a1, u, x); c1 = dot(c1, v, x); }
          if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 2 * rowsOf<R>() * RECORD + 16); a2 = dot(a2, u, x); c2 = dot(c2, v, x); }
          x = v128.load32_splat(a, 2 * rowsOf<R>() * RECORD + 4); b0 = dot(b0, u, x); e0 = dot(e0, v, x);
          if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 2 * rowsOf<R>() * RECORD + 12); b1 = dot(b1, u, x); e1 = dot(e1, v, x); }
          if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 2 * rowsOf<R>() * RECORD + 20); b2 = dot(b2, u, x); e2 = dot(e2, v, x); }
          u = v128.load(k, 48);
          v = v128.load(second, 48);
          x = v128.load32_splat(a, 3 * rowsOf<R>() * RECORD + 0); a0 = dot(a0, u, x); c0 = dot(c0, v, x);
          if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 3 * rowsOf<R>() * RECORD + 8); a1 = dot(a1, u, x); c1 = dot(c1, v, x); }
          if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 3 * rowsOf<R>() * RECORD + 16); a2 = dot(a2, u, x); c2 = dot(c2, v, x); }
          x = v128.load32_splat(a, 3 * rowsOf<R>() * RECORD + 4); b0 = dot(b0, u, x); e0 = dot(e0, v, x);
          if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 3 * rowsOf<R>() * RECORD + 12); b1 = dot(b1, u, x); e1 = dot(e1, v, x); }
          if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 3 * rowsOf<R>() * RECORD + 20); b2 = dot(b2, u, x); e2 = dot(e2, v, x); }
          k += 64;
          second += 64;
        }
        k = second;
      } else {
        for (let a = q; a < end; a += rowsOf<R>() * RECORD) {
          u = v128.load8x8_s(k, 0);
          v = v128.load8x8_s(k, 8);
          x = v128.load64_splat(a, 0); a0 = dotWords(a0, u, x); b0 = dotWords(b0, v, x);
          if (rowsOf<R>() > 1) { x = v128.load64_splat(a, 8); a1 = dotWords(a1, u, x); b1 = dotWords(b1, v, x); }
          if (rowsOf<R>() > 2) { x = v128.load64_splat(a, 16); a2 = dotWords(a2, u, x); b2 = dotWords(b2, v, x); }
          k += 16;
        }
        for (let a = q; a < end; a += rowsOf<R>() * RECORD) {
          u = v128.load8x8_s(k, 0);
          v = v128.load8x8_s(k, 8);
          x = v128.load64_splat(a, 0); c0 = dotWords(c0, u, x); e0 = dotWords(e0, v, x);
          if (rowsOf<R>() > 1) { x = v128.load64_splat(a, 8); c1 = dotWords(c1, u, x); e1 = dotWords(e1, v, x); }
          if (rowsOf<R>() > 2) { x = v128.load64_splat(a, 16); c2 = dotWords(c2, u, x); e2 = dotWords(e2, v, x); }
          k += 16;
        }
      }
      u = v128.load(scale, 0);
      v = v128.load(scale, 16);
      x = v128.load(scale + stride, 0);
      const y = v128.load(scale + stride, 16);
      score<E>(at, a0, b0, x, u, f0);
      score<E>(at + 16, c0, e0, y, v, f0);
      if (rowsOf<R>() > 1) { score<E>(at + stride, a1, b1, x, u, f1); score<E>(at + stride + 16, c1, e1, y, v, f1); }
      if (rowsOf<R>() > 2) { score<E>(at + 2 * stride, a2, b2, x, u, f2); score<E>(at + 2 * stride + 16, c2, e2, y, v, f2); }
      at += 32;
      scale += 32;
    }
    for (let s = n; s & 3; s++) {
      store<f32>(scores + s * 4, -Infinity as f32);
      if (rowsOf<R>() > 1) store<f32>(scores + stride + s * 4, -Infinity as f32);
      if (rowsOf<R>() > 2) store<f32>(scores + 2 * stride + s * 4, -Infinity as f32);
    }
    scores += slots * 4;
    scales += slots * 4;
  }
}

/** A query in bytes has 8192 added to each of its numbers: the correction takes that away. A query in words has not. */
// @ts-ignore: decorator
@inline
function score<E>(y: usize, a: v128, b: v128, correction: v128, scale: v128, factor: f32): void {
  let sum = join<E>(a, b);
  if (inBytes<E>()) sum = i32x4.add(sum, correction);
  v128.store(y, f32x4.mul(f32x4.convert_i32x4_s(sum), f32x4.mul(scale, f32x4.splat(factor))));
}

/**
 * y0, y1, y2 (d) f32 = weights V times f0, f1, f2, eight of d at a time.
 *
 * weights: slots / 4 times R records. values: offset of V in a page.
 */
export function mixTile<R, E>(
  y0: usize, y1: usize, y2: usize, weights: usize, pages: usize, values: i32, tokens: i32, d: i32, pageTokens: i32,
  slots: i32, f0: f32, f1: f32, f2: f32,
): void {
  for (const chunks = values + d * slots; values < chunks; values += slots * 8) {
    let a0 = i32x4.splat(0), a1 = a0, a2 = a0, b0 = a0, b1 = a0, b2 = a0;
    let c0 = a0, c1 = a0, c2 = a0, e0 = a0, e1 = a0, e2 = a0;
    let x: v128, u: v128, v: v128;
    if (inBytes<E>()) {
      let a = weights;
      let page = pages;
      for (let t = 0; t < tokens; t += pageTokens) {
        let from = <usize>load<i32>(page) + values;
        page += 4;
        for (const end = from + ((min(pageTokens, tokens - t) + 3) >> 2) * 32; from < end; from += 32) {
          u = v128.load(from, 0);
          v = v128.load(from, 16);
          x = v128.load32_splat(a, 0); a0 = dot(a0, u, x); c0 = dot(c0, v, x);
          if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 8); a1 = dot(a1, u, x); c1 = dot(c1, v, x); }
          if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 16); a2 = dot(a2, u, x); c2 = dot(c2, v, x); }
          x = v128.load32_splat(a, 4); b0 = dot(b0, u, x); e0 = dot(e0, v, x);
          if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 12); b1 = dot(b1, u, x); e1 = dot(e1, v, x); }
          if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 20); b2 = dot(b2, u, x); e2 = dot(e2, v, x); }
          a += rowsOf<R>() * RECORD;
        }
      }
    } else {
      for (let half = 0; half < 32; half += 16) {
        // The second four of d take the places of the first, whose sums are put aside.
        c0 = a0; c1 = a1; c2 = a2; e0 = b0; e1 = b1; e2 = b2;
        a0 = i32x4.splat(0); a1 = a0; a2 = a0; b0 = a0; b1 = a0; b2 = a0;
        let a = weights;
        let page = pages;
        for (let t = 0; t < tokens; t += pageTokens) {
          let from = <usize>load<i32>(page) + values + 16 - half;
          page += 4;
          for (const end = from + ((min(pageTokens, tokens - t) + 3) >> 2) * 32; from < end; from += 32) {
            u = v128.load8x8_s(from, 0);
            v = v128.load8x8_s(from, 8);
            x = v128.load64_splat(a, 0); a0 = dotWords(a0, u, x); b0 = dotWords(b0, v, x);
            if (rowsOf<R>() > 1) { x = v128.load64_splat(a, 8); a1 = dotWords(a1, u, x); b1 = dotWords(b1, v, x); }
            if (rowsOf<R>() > 2) { x = v128.load64_splat(a, 16); a2 = dotWords(a2, u, x); b2 = dotWords(b2, v, x); }
            a += rowsOf<R>() * RECORD;
          }
        }
      }
    }
    mixed<E>(y0, a0, b0, c0, e0, f0);
    y0 += 32;
    if (rowsOf<R>() > 1) { mixed<E>(y1, a1, b1, c1, e1, f1); y1 += 32; }
    if (rowsOf<R>() > 2) { mixed<E>(y2, a2, b2, c2, e2, f2); y2 += 32; }
  }
}

// @ts-ignore: decorator
@inline
function mixed<E>(y: usize, a: v128, b: v128, c: v128, e: v128, factor: f32): void {
  const f = f32x4.splat(factor);
  v128.store(y, f32x4.mul(f32x4.convert_i32x4_s(join<E>(a, b)), f), 0);
  v128.store(y, f32x4.mul(f32x4.convert_i32x4_s(join<E>(c, e)), f), 16);
}
