import { largest, roundI32x4 } from './round';

/**
 * KV pages. A page holds `pageTokens` tokens of every layer, one layer after another:
 *   K (kvHeads, pageTokens, d) i16 | V (kvHeads, pageTokens, d) i16 | K scales (kvHeads, pageTokens) f32 | V scales
 * A vector of d values has one scale, max|x| / 32767. This is finer than fp16 near the largest element, where it matters, and
 * a score is an integer dot product without widening.
 */

/** Largest magnitude of a stored K or V element. */
export const KV_MAX: i32 = 32767;

/** Bytes of one layer in a page. */
// @ts-ignore: decorator
@inline
export function layerBytes(kvHeads: i32, pageTokens: i32, d: i32): i32 {
  return kvHeads * pageTokens * (4 * d + 8);
}

/**
 * Writes K and V of `rows` tokens from position `start` on.
 * pages: i32 page addresses; k, v (rows, ld) f32, heads from column 0. d is a multiple of 8.
 */
export function kv_store_i16(
  pages: usize, layer: i32, start: i32, k: usize, v: usize, ld: i32, rows: i32, kvHeads: i32, d: i32, pageTokens: i32,
): void {
  const vectors = kvHeads * pageTokens;
  for (let r = 0; r < rows; r++) {
    const position = start + r;
    const page = <usize>load<i32>(pages + (position / pageTokens) * 4) + layer * layerBytes(kvHeads, pageTokens, d);
    const slot = position % pageTokens;
    const values = page + vectors * d * 2;
    const scales = page + vectors * d * 4;
    for (let h = 0; h < kvHeads; h++) {
      const at = h * pageTokens + slot;
      store<f32>(scales + at * 4, storeVector(page + at * d * 2, k + (r * ld + h * d) * 4, d));
      store<f32>(scales + (vectors + at) * 4, storeVector(values + at * d * 2, v + (r * ld + h * d) * 4, d));
    }
  }
}

/** x (d) f32 to y (d) i16; returns the scale. d is a multiple of 8. */
function storeVector(y: usize, x: usize, d: i32): f32 {
  let high = v128.load(x);
  let low = high;
  for (let j = 0; j < d * 4; j += 32) {
    const x0 = v128.load(x + j, 0);
    const x1 = v128.load(x + j, 16);
    high = f32x4.pmax(high, f32x4.pmax(x0, x1));
    low = f32x4.pmin(low, f32x4.pmin(x0, x1));
  }
  const most = largest(high, low);
  const factor = f32x4.splat(most > 0 ? <f32>KV_MAX / most : <f32>0.0);
  for (let j = 0; j < d; j += 8) {
    const x0 = roundI32x4(f32x4.mul(v128.load(x + j * 4, 0), factor));
    const x1 = roundI32x4(f32x4.mul(v128.load(x + j * 4, 16), factor));
    v128.store(y + j * 2, i16x8.narrow_i32x4_s(x0, x1));
  }
  return most / <f32>KV_MAX;
}
