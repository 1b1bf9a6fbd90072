/**
 * fp16 to f32 times 2^-112. The 15 bits of exponent and mantissa, moved into place, are that, subnormals included. A factor
 * of 2^112 is put where it costs nothing. Infinities and NaN do not occur: the converter refuses them.
 */

/** 2^112. */
// @ts-ignore: decorator
@inline
export const RESCALE: f32 = 5.192296858534828e33;

/** The sign-extended load fills bits 28..31 with the sign; 28..30 belong to the exponent. */
const SIGN_AND_VALUE: usize = memory.data<u32>([0x8fffffff, 0x8fffffff, 0x8fffffff, 0x8fffffff], 16);

/** Four fp16 at `p` as f32x4, times 2^-112. */
// @ts-ignore: decorator
@inline
export function smallF16x4(p: usize): v128 {
  return v128.and(i32x4.shl(v128.load16x4_s(p), 13), v128.load(SIGN_AND_VALUE));
}

/** The fp16 at `p`, times 2^-112. */
// @ts-ignore: decorator
@inline
export function smallF16(p: usize): f32 {
  return reinterpret<f32>((<i32>load<i16>(p) << 13) & 0x8fffffff);
}
