import { GROUP } from './constants';

/**
 * Activations to int8, one scale per group of 32: q = round(x / scale), scale = max|x| / 127.
 * `correction` holds -8 * sum(q) per group: int4 weights are stored with 8 as zero point, and the GEMM starts
 * each group's sum there instead of subtracting 8 from every weight.
 *
 * x (rows, K) f32 -> q (rows, K) i8, scale (rows, K/32) f32, correction (rows, K/32) i32. K is a multiple of 32.
 */
export function quantize_q8(q: usize, scale: usize, correction: usize, x: usize, rows: i32, k: i32): void {
  const groups = (rows * k) / GROUP;
  for (let g = 0; g < groups; g++) {
    const x0 = v128.load(x, 0);
    const x1 = v128.load(x, 16);
    const x2 = v128.load(x, 32);
    const x3 = v128.load(x, 48);
    const x4 = v128.load(x, 64);
    const x5 = v128.load(x, 80);
    const x6 = v128.load(x, 96);
    const x7 = v128.load(x, 112);
    let m = f32x4.max(f32x4.max(f32x4.abs(x0), f32x4.abs(x1)), f32x4.max(f32x4.abs(x2), f32x4.abs(x3)));
    m = f32x4.max(
      m,
      f32x4.max(f32x4.max(f32x4.abs(x4), f32x4.abs(x5)), f32x4.max(f32x4.abs(x6), f32x4.abs(x7))),
    );
    const max = Mathf.max(
      Mathf.max(f32x4.extract_lane(m, 0), f32x4.extract_lane(m, 1)),
      Mathf.max(f32x4.extract_lane(m, 2), f32x4.extract_lane(m, 3)),
    );
    const inverse = f32x4.splat(max > 0 ? <f32>127.0 / max : <f32>0.0);
    const lowHalf = i8x16.narrow_i16x8_s(
      i16x8.narrow_i32x4_s(round(x0, inverse), round(x1, inverse)),
      i16x8.narrow_i32x4_s(round(x2, inverse), round(x3, inverse)),
    );
    const highHalf = i8x16.narrow_i16x8_s(
      i16x8.narrow_i32x4_s(round(x4, inverse), round(x5, inverse)),
      i16x8.narrow_i32x4_s(round(x6, inverse), round(x7, inverse)),
    );
    v128.store(q, lowHalf, 0);
    v128.store(q, highHalf, 16);
    const sums = i32x4.extadd_pairwise_i16x8_s(
      i16x8.add(i16x8.extadd_pairwise_i8x16_s(lowHalf), i16x8.extadd_pairwise_i8x16_s(highHalf)),
    );
    const sum =
      i32x4.extract_lane(sums, 0) +
      i32x4.extract_lane(sums, 1) +
      i32x4.extract_lane(sums, 2) +
      i32x4.extract_lane(sums, 3);
    store<f32>(scale, max / <f32>127.0);
    store<i32>(correction, -8 * sum);
    x += 128;
    q += 32;
    scale += 4;
    correction += 4;
  }
}

// @ts-ignore: decorator
@inline
function round(x: v128, inverse: v128): v128 {
  return i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(x, inverse)));
}
