/**
 * i16x8 of pair sums a[2i]*w[2i] + a[2i+1]*w[2i+1], with a int8 and w in 0..15.
 * w is inside relaxed SIMD's i7 range, so both builds give the same integers on every engine.
 */
// @ts-ignore: decorator
@inline
export function dotI8U4(a: v128, w: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i16x8.relaxed_dot_i8x16_i7x16_s(a, w);
  const low = i16x8.extmul_low_i8x16_s(a, w);
  const high = i16x8.extmul_high_i8x16_s(a, w);
  return i16x8.add(
    v128.shuffle<i16>(low, high, 0, 2, 4, 6, 8, 10, 12, 14),
    v128.shuffle<i16>(low, high, 1, 3, 5, 7, 9, 11, 13, 15),
  );
}
