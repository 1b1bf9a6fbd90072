import { BYTES_RECORD, rowsInTile, recordsOf, WORDS_RECORD } from './activations';
import { NIBBLE_MASK, ONES_I16 } from './constants';
import { addDot, dot_sums_32, Sums16 } from './dot';
import { smallF16 } from './half';

/** The last n % 8 outputs, still in the file's layout: a vector is 16 k (or 32) of one output. Arguments as the GEMM's. */
export function edgeQ4(
  y: usize, stride: i32, accumulate: i32, q: usize, w: usize, wscale: usize, rows: i32, n: i32, groups: i32, limbs: i32,
): void {
  const record = ASC_FEATURE_RELAXED_SIMD ? BYTES_RECORD : WORDS_RECORD;
  const total = rows * limbs;
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < n; c++) {
      let sum: f32 = 0;
      for (let l = r * limbs; l < (r + 1) * limbs; l++) {
        let a = recordsOf(q, l, total, groups, record);
        for (let g = 0; g < groups; g++) {
          const at = c * groups + g;
          const dot = ASC_FEATURE_RELAXED_SIMD ? bytesQ4(a, w + at * 16) : wordsQ4(a, w + at * 16);
          sum += <f32>dot * (smallF16(wscale + at * 2) * load<f32>(a + record - 8));
          a += rowsInTile(l, total) * record;
        }
      }
      const to = y + r * stride + c * 4;
      store<f32>(to, accumulate ? load<f32>(to) + sum : sum);
    }
  }
}

/** As `edgeQ4`, int8 with zero point 128. */
export function edgeQ8(
  y: usize, stride: i32, accumulate: i32, q: usize, w: usize, wscale: usize, rows: i32, n: i32, groups: i32, limbs: i32,
): void {
  const total = rows * limbs;
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < n; c++) {
      let sum: f32 = 0;
      for (let l = r * limbs; l < (r + 1) * limbs; l++) {
        let a = recordsOf(q, l, total, groups, WORDS_RECORD);
        for (let g = 0; g < groups; g++) {
          const at = c * groups + g;
          const scale = smallF16(wscale + at * 2) * load<f32>(a, 64);
          sum += <f32>sumI32x4(i32x4.add(wordsQ8(a, w + at * 32), wordsQ8(a + 32, w + at * 32 + 16))) * scale;
          a += rowsInTile(l, total) * WORDS_RECORD;
        }
      }
      const to = y + r * stride + c * 4;
      store<f32>(to, accumulate ? load<f32>(to) + sum : sum);
    }
  }
}

// @ts-ignore: decorator
@inline
function bytesQ4(a: usize, w: usize): i32 {
  const mask = v128.load(NIBBLE_MASK);
  const packed = v128.load(w);
  const low = v128.load(a, 0);
  const high = v128.load(a, 16);
  const even = v128.shuffle<i8>(low, high, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const odd = v128.shuffle<i8>(low, high, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
  let sums = addDot<Sums16>(i16x8.splat(0), even, v128.and(packed, mask));
  sums = addDot<Sums16>(sums, odd, v128.and(i16x8.shr_u(packed, 4), mask));
  const correction = load<i32>(a, 36);
  const whole = dot_sums_32 ? correction : <i32>(<i16>correction) + (correction >> 16);
  return sumI32x4(i32x4.dot_i16x8_s(sums, v128.load(ONES_I16))) + whole;
}

// @ts-ignore: decorator
@inline
function wordsQ4(a: usize, w: usize): i32 {
  const mask = v128.load(NIBBLE_MASK);
  const packed = v128.load(w);
  const even = v128.and(packed, mask);
  const odd = v128.and(i16x8.shr_u(packed, 4), mask);
  let sums = i32x4.dot_i16x8_s(v128.load(a, 0), i16x8.extend_low_i8x16_s(even));
  sums = i32x4.add(sums, i32x4.dot_i16x8_s(v128.load(a, 16), i16x8.extend_low_i8x16_s(odd)));
  sums = i32x4.add(sums, i32x4.dot_i16x8_s(v128.load(a, 32), i16x8.extend_high_i8x16_s(even)));
  sums = i32x4.add(sums, i32x4.dot_i16x8_s(v128.load(a, 48), i16x8.extend_high_i8x16_s(odd)));
  return sumI32x4(sums) + load<i32>(a, 68);
}

/** 16 k of a group. */
// @ts-ignore: decorator
@inline
function wordsQ8(a: usize, w: usize): v128 {
  const weights = v128.xor(v128.load(w), i8x16.splat(-128));
  return i32x4.add(
    i32x4.dot_i16x8_s(v128.load(a, 0), i16x8.shr_s(i16x8.shl(weights, 8), 8)),
    i32x4.dot_i16x8_s(v128.load(a, 16), i16x8.shr_s(weights, 8)),
  );
}

// @ts-ignore: decorator
@inline
function sumI32x4(x: v128): i32 {
  return i32x4.extract_lane(x, 0) + i32x4.extract_lane(x, 1) + i32x4.extract_lane(x, 2) + i32x4.extract_lane(x, 3);
}
