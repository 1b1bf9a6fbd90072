/**
 * Rounding to the nearest integer, half to even, for |x| < 2^22. Added to 1.5 * 2^23, a float's last bit is worth 1:
 * the addition rounds, and the low bits of the sum are the integer. `nearest` and `trunc_sat` do the same in nine
 * instructions on x64.
 */
const ROUNDER: usize = memory.data<f32>([12582912.0, 12582912.0, 12582912.0, 12582912.0], 16);

// @ts-ignore: decorator
@inline
export function rounder(): v128 {
  return v128.load(ROUNDER);
}

/** i32x4 of round(x). */
// @ts-ignore: decorator
@inline
export function roundI32x4(x: v128): v128 {
  return i32x4.sub(f32x4.add(x, rounder()), rounder());
}

/** f32x4 of round(x). */
// @ts-ignore: decorator
@inline
export function roundF32x4(x: v128): v128 {
  return f32x4.sub(f32x4.add(x, rounder()), rounder());
}

/** The largest lane of max(high, -low): the largest magnitude, where high and low hold maxima and minima. */
// @ts-ignore: decorator
@inline
export function largest(high: v128, low: v128): f32 {
  let m = f32x4.pmax(high, f32x4.neg(low));
  m = f32x4.pmax(m, v128.shuffle<f32>(m, m, 2, 3, 0, 1));
  m = f32x4.pmax(m, v128.shuffle<f32>(m, m, 1, 0, 3, 2));
  return f32x4.extract_lane(m, 0);
}
