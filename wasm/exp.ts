import { rounder } from './round';

// Constants lie in memory, four lanes each, because V8 rebuilds a literal at every use.
const TABLE: usize = memory.data<f32>([
  -87.0, -87.0, -87.0, -87.0,
  1.44269504, 1.44269504, 1.44269504, 1.44269504,
  0.693359375, 0.693359375, 0.693359375, 0.693359375,
  -2.12194440e-4, -2.12194440e-4, -2.12194440e-4, -2.12194440e-4,
  1.9875691500e-4, 1.9875691500e-4, 1.9875691500e-4, 1.9875691500e-4,
  1.3981999507e-3, 1.3981999507e-3, 1.3981999507e-3, 1.3981999507e-3,
  8.3334519073e-3, 8.3334519073e-3, 8.3334519073e-3, 8.3334519073e-3,
  4.1665795894e-2, 4.1665795894e-2, 4.1665795894e-2, 4.1665795894e-2,
  1.6666665459e-1, 1.6666665459e-1, 1.6666665459e-1, 1.6666665459e-1,
  5.0000001201e-1, 5.0000001201e-1, 5.0000001201e-1, 5.0000001201e-1,
  1.0, 1.0, 1.0, 1.0,
], 16);
const BIAS: usize = memory.data<i32>([127, 127, 127, 127], 16);

/**
 * e^x for x <= 88, relative error below 2e-7; x under -87 gives 0.
 * x = n ln 2 + r, |r| <= ln 2 / 2; a degree-6 polynomial for e^r (Cephes expf), n added to the exponent.
 */
// @ts-ignore: decorator
@inline
export function expF32x4(x: v128): v128 {
  const kept = f32x4.gt(x, v128.load(TABLE, 0));
  const rounded = f32x4.add(f32x4.mul(x, v128.load(TABLE, 16)), rounder());
  const n = f32x4.sub(rounded, rounder());
  let r = f32x4.sub(x, f32x4.mul(n, v128.load(TABLE, 32)));
  r = f32x4.sub(r, f32x4.mul(n, v128.load(TABLE, 48)));
  let p = v128.load(TABLE, 64);
  p = f32x4.add(f32x4.mul(p, r), v128.load(TABLE, 80));
  p = f32x4.add(f32x4.mul(p, r), v128.load(TABLE, 96));
  p = f32x4.add(f32x4.mul(p, r), v128.load(TABLE, 112));
  p = f32x4.add(f32x4.mul(p, r), v128.load(TABLE, 128));
  p = f32x4.add(f32x4.mul(p, r), v128.load(TABLE, 144));
  p = f32x4.add(f32x4.add(f32x4.mul(p, f32x4.mul(r, r)), r), v128.load(TABLE, 160));
  // The low bits of `rounded` are n; the shift drops the others.
  const power = i32x4.shl(i32x4.add(rounded, v128.load(BIAS)), 23);
  return v128.and(f32x4.mul(p, power), kept);
}

/** Sum of the four lanes. */
// @ts-ignore: decorator
@inline
export function sumF32x4(x: v128): f32 {
  return (
    f32x4.extract_lane(x, 0) + f32x4.extract_lane(x, 1) + (f32x4.extract_lane(x, 2) + f32x4.extract_lane(x, 3))
  );
}
