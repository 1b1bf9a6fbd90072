/**
 * fp16 to f32: the 15 bits of exponent and mantissa moved into place give value * 2^-112, subnormals included
 * (infinities and NaN are not weights and are refused by the converter).
 */

// @ts-ignore: decorator
@inline
const RESCALE: f32 = 5.192296858534828e33; // 2^112

/** Four fp16 at `p` as f32x4. */
// @ts-ignore: decorator
@inline
export function scalesF16x4(p: usize): v128 {
  // The sign-extended load fills bits 28..31 with the sign; 28..30 belong to the exponent.
  const bits = v128.and(i32x4.shl(v128.load16x4_s(p), 13), i32x4.splat(<i32>0x8fffffff));
  return f32x4.mul(bits, f32x4.splat(RESCALE));
}

// @ts-ignore: decorator
@inline
export function scaleF16(p: usize): f32 {
  return reinterpret<f32>((<i32>load<i16>(p) << 13) & 0x8fffffff) * RESCALE;
}
