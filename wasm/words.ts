// @ts-ignore: decorator
@inline
export function step(sum: v128, a: v128, w: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(a, w));
}

/** Closes a group: i32 sums to f32, times both scales. */
// @ts-ignore: decorator
@inline
export function close(f: v128, sum: v128, weightScale: v128, scale: v128): v128 {
  return f32x4.add(f, f32x4.mul(f32x4.convert_i32x4_s(sum), f32x4.mul(weightScale, scale)));
}
