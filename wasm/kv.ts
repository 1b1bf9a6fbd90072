import { largest, roundI32x4 } from './round';

/**
 * KV pages in int8 with one float scale per vector of d values, max|x| / 127. A page holds every layer, one after another, and
 * in a layer every K and V head:
 *   K [slots / 4][d / 4][4 tokens][4 d] i8 | V [d / 8][slots / 4][8 d][4 tokens] i8 |
 *   K scales (slots) f32 | K corrections (slots) i32 | V scales (slots) f32
 * `slots` is the page's tokens, rounded up to a multiple of 4. A vector of 16 bytes is what one dot product of four tokens, or
 * of four d, reads. The correction of a token is -8192 times the sum of its K (see `attention`).
 */

const MOST: f32 = 127;

/** Places for tokens in a page. */
// @ts-ignore: decorator
@inline
export function pageSlots(pageTokens: i32): i32 {
  return (pageTokens + 3) & ~3;
}

/** Bytes of one K and V head of one layer in a page. */
// @ts-ignore: decorator
@inline
export function headBytes(slots: i32, d: i32): i32 {
  return slots * (2 * d + 12);
}

/**
 * Writes K and V of `rows` tokens from position `start` on.
 * pages: i32 page addresses; k, v (rows, ld) f32, heads from column 0. d is a multiple of 8.
 */
export function kv_store(
  pages: usize, layer: i32, start: i32, k: usize, v: usize, ld: i32, rows: i32, kvHeads: i32, d: i32, pageTokens: i32,
): void {
  const slots = pageSlots(pageTokens);
  const head = headBytes(slots, d);
  for (let r = 0; r < rows; r++) {
    const position = start + r;
    const slot = position % pageTokens;
    let at = <usize>load<i32>(pages + (position / pageTokens) * 4) + layer * kvHeads * head;
    for (let h = 0; h < kvHeads; h++) {
      const scales = at + slots * 2 * d + slot * 4;
      const from = (r * ld + h * d) * 4;
      storeKey(at + (slot >> 2) * 4 * d + (slot & 3) * 4, scales, scales + slots * 4, k + from, d);
      storeValue(at + slots * d + (slot >> 2) * 32 + (slot & 3), slots * 8, scales + slots * 8, v + from, d);
      at += head;
    }
  }
}

/** The largest magnitude of x (d) f32. */
function largestOf(x: usize, d: i32): f32 {
  let high = v128.load(x);
  let low = high;
  for (let j = 16; j < d * 4; j += 16) {
    const part = v128.load(x + j);
    high = f32x4.pmax(high, part);
    low = f32x4.pmin(low, part);
  }
  return largest(high, low);
}

/** x (d) f32 to the bytes of one token: four at a time, 16 bytes apart. */
function storeKey(y: usize, scale: usize, correction: usize, x: usize, d: i32): void {
  const most = largestOf(x, d);
  const factor = f32x4.splat(most > 0 ? MOST / most : <f32>0.0);
  let sum = i32x4.splat(0);
  for (let j = 0; j < d * 4; j += 16) {
    const whole = roundI32x4(f32x4.mul(v128.load(x + j), factor));
    sum = i32x4.add(sum, whole);
    const words = i16x8.narrow_i32x4_s(whole, whole);
    v128.store32_lane(y + j, i8x16.narrow_i16x8_s(words, words), 0);
  }
  store<f32>(scale, most / MOST);
  const total =
    i32x4.extract_lane(sum, 0) + i32x4.extract_lane(sum, 1) + (i32x4.extract_lane(sum, 2) + i32x4.extract_lane(sum, 3));
  store<i32>(correction, total * -8192);
}

/** x (d) f32 to the bytes of one token: each 4 bytes after the one before, and eight of them `chunk` bytes after the last eight. */
function storeValue(y: usize, chunk: i32, scale: usize, x: usize, d: i32): void {
  const most = largestOf(x, d);
  const factor = f32x4.splat(most > 0 ? MOST / most : <f32>0.0);
  for (let j = 0; j < d * 4; j += 32) {
    for (let half = 0; half < 32; half += 16) {
      const whole = roundI32x4(f32x4.mul(v128.load(x + j + half), factor));
      store<i8>(y + half, <i8>i32x4.extract_lane(whole, 0), 0);
      store<i8>(y + half, <i8>i32x4.extract_lane(whole, 1), 4);
      store<i8>(y + half, <i8>i32x4.extract_lane(whole, 2), 8);
      store<i8>(y + half, <i8>i32x4.extract_lane(whole, 3), 12);
    }
    y += chunk;
  }
  store<f32>(scale, most / MOST);
}
