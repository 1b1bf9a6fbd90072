import { rounder } from './round';

// Constants lie in memory, four lanes each, because V8 rebuilds a literal at every use.
const LEAST: usize = memory.data<f32>([-125.5, -125.5, -125.5, -125.5], 16);
const LOG2_E: usize = memory.data<f32>([1.44269504, 1.44269504, 1.44269504, 1.44269504], 16);
/** 2^x on [-1/2, 1/2] with the smallest relative error, highest power first. Degree 5 is exact at 0: e^0 is 1. */
const DEGREE_5: usize = memory.data<f32>([
  1.3264727207e-3, 1.3264727207e-3, 1.3264727207e-3, 1.3264727207e-3,
  9.6715126501e-3, 9.6715126501e-3, 9.6715126501e-3, 9.6715126501e-3,
  5.5507337433e-2, 5.5507337433e-2, 5.5507337433e-2, 5.5507337433e-2,
  2.4022242085e-1, 2.4022242085e-1, 2.4022242085e-1, 2.4022242085e-1,
  6.9314697760e-1, 6.9314697760e-1, 6.9314697760e-1, 6.9314697760e-1,
  1.0, 1.0, 1.0, 1.0,
], 16);
const DEGREE_4: usize = memory.data<f32>([
  9.5701019112e-3, 9.5701019112e-3, 9.5701019112e-3, 9.5701019112e-3,
  5.5917860319e-2, 5.5917860319e-2, 5.5917860319e-2, 5.5917860319e-2,
  2.4024744828e-1, 2.4024744828e-1, 2.4024744828e-1, 2.4024744828e-1,
  6.9312181474e-1, 6.9312181474e-1, 6.9312181474e-1, 6.9312181474e-1,
  9.9999926145e-1, 9.9999926145e-1, 9.9999926145e-1, 9.9999926145e-1,
], 16);

/**
 * e^x for x <= 88; x under -86.9 gives 0. The polynomial is exact to 3e-7 of the value. The product x log2(e) is rounded
 * once, which adds up to |x| * 6e-8.
 */
// @ts-ignore: decorator
@inline
export function expF32x4(x: v128): v128 {
  const scaled = f32x4.mul(x, v128.load(LOG2_E));
  const z = f32x4.add(scaled, rounder());
  const r = f32x4.sub(scaled, f32x4.sub(z, rounder()));
  let p = f32x4.add(f32x4.mul(v128.load(DEGREE_5, 0), r), v128.load(DEGREE_5, 16));
  p = f32x4.add(f32x4.mul(p, r), v128.load(DEGREE_5, 32));
  p = f32x4.add(f32x4.mul(p, r), v128.load(DEGREE_5, 48));
  p = f32x4.add(f32x4.mul(p, r), v128.load(DEGREE_5, 64));
  p = f32x4.add(f32x4.mul(p, r), v128.load(DEGREE_5, 80));
  return scaleByPower(p, z, scaled);
}

/** 2^x for x <= 127, relative error below 3e-6; x under -125.5 gives 0. For weights that are rounded to 14 bits after. */
// @ts-ignore: decorator
@inline
export function exp2F32x4(x: v128): v128 {
  const z = f32x4.add(x, rounder());
  const r = f32x4.sub(x, f32x4.sub(z, rounder()));
  let p = f32x4.add(f32x4.mul(v128.load(DEGREE_4, 0), r), v128.load(DEGREE_4, 16));
  p = f32x4.add(f32x4.mul(p, r), v128.load(DEGREE_4, 32));
  p = f32x4.add(f32x4.mul(p, r), v128.load(DEGREE_4, 48));
  p = f32x4.add(f32x4.mul(p, r), v128.load(DEGREE_4, 64));
  return scaleByPower(p, z, x);
}

/**
 * p 2^n, with n in the low bits of z: the shift drops the other bits, and the sum of integers adds n to the exponent.
 * 0 where x is so small that the exponent would leave its range, and for x = -inf, whose p is NaN.
 */
// @ts-ignore: decorator
@inline
function scaleByPower(p: v128, z: v128, x: v128): v128 {
  return v128.and(i32x4.add(p, i32x4.shl(z, 23)), f32x4.gt(x, v128.load(LEAST)));
}

/** Sum of the four lanes. */
// @ts-ignore: decorator
@inline
export function sumF32x4(x: v128): f32 {
  return (
    f32x4.extract_lane(x, 0) + f32x4.extract_lane(x, 1) + (f32x4.extract_lane(x, 2) + f32x4.extract_lane(x, 3))
  );
}
