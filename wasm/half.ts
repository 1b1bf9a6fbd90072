/**
 * fp16 to f32. The 15 bits of exponent and mantissa, moved into place, give value * 2^-112, subnormals included. Infinities
 * and NaN do not occur: the converter refuses them.
 */

// @ts-ignore: decorator
@inline
const RESCALE: f32 = 5.192296858534828e33; // 2^112

const RESCALE_X4: usize = memory.data<f32>(
  [5.192296858534828e33, 5.192296858534828e33, 5.192296858534828e33, 5.192296858534828e33],
  16,
);
/** The sign-extended load fills bits 28..31 with the sign; 28..30 belong to the exponent. */
const SIGN_AND_VALUE: usize = memory.data<u32>([0x8fffffff, 0x8fffffff, 0x8fffffff, 0x8fffffff], 16);

/** Four fp16 at `p` as f32x4. */
// @ts-ignore: decorator
@inline
export function scalesF16x4(p: usize): v128 {
  const bits = v128.and(i32x4.shl(v128.load16x4_s(p), 13), v128.load(SIGN_AND_VALUE));
  return f32x4.mul(bits, v128.load(RESCALE_X4));
}

// @ts-ignore: decorator
@inline
export function scaleF16(p: usize): f32 {
  return reinterpret<f32>((<i32>load<i16>(p) << 13) & 0x8fffffff) * RESCALE;
}
