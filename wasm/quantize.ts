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
    quantizeGroup(q, scale, correction, x);
    x += 128;
    q += 32;
    scale += 4;
    correction += 4;
  }
}

/**
 * Activations to 15 bits as two int8 rows each: what the first row's rounding left over, quantized again, is the second.
 * x (rows, K) f32, overwritten by the second remainder -> q (rows, 2, K) i8, scale and correction (rows, 2, K/32).
 */
export function quantize_q16(q: usize, scale: usize, correction: usize, x: usize, rows: i32, k: i32): void {
  const groups = k / GROUP;
  for (let r = 0; r < rows; r++) {
    for (let g = 0; g < groups; g++) {
      quantizeGroup(q, scale, correction, x);
      const s = v128.load32_splat(scale);
      for (let j = 0; j < 32; j += 4) {
        const rounded = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(v128.load32_zero(q + j))));
        v128.store(x + j * 4, f32x4.sub(v128.load(x + j * 4), f32x4.mul(rounded, s)));
      }
      quantizeGroup(q + k, scale + groups * 4, correction + groups * 4, x);
      x += 128;
      q += 32;
      scale += 4;
      correction += 4;
    }
    q += k;
    scale += groups * 4;
    correction += groups * 4;
  }
}

// @ts-ignore: decorator
@inline
function quantizeGroup(q: usize, scale: usize, correction: usize, x: usize): void {
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
}

// @ts-ignore: decorator
@inline
function round(x: v128, inverse: v128): v128 {
  return i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(x, inverse)));
}
