import { BYTES_RECORD, rowsInFours, WORDS_RECORD } from './activations';
import { GROUP } from './constants';
import { dot_sums_32, Sums16, Sums32 } from './dot';
import { edgeQ4 } from './gemm-edge';
import { tileBytes } from './gemm-q4-bytes';
import { tileUnpacked, unpack } from './gemm-q4-unpacked';
import { tileWordsQ4 } from './gemm-q4-words';
import { Rows1, Rows2, Rows3, Rows4 } from './tile';

/** From this many rows on, a panel is unpacked once for all its tiles. */
const UNPACK_ROWS: i32 = 16;

/**
 * y = x W^T for int8 activations and int4 weights repacked by `repack_q4`.
 *
 * y (rows, ldy) f32, columns 0..n-1 written, or added to when `accumulate` is 1 (the residual stream);
 * q: records of rows * limbs rows from `quantize` (words: 0); w (n, K) int4; `panel`: scratch of 13 K bytes.
 * `limbs` 2: two rows of q for each output row, whose products are added up.
 *
 * Weights are read once, panel after panel, for any number of rows. The sums of a row do not depend on other rows.
 */
export function gemm_q8_q4(
  y: usize, ldy: i32, accumulate: i32, q: usize, w: usize, wscale: usize, rows: i32, n: i32, k: i32, limbs: i32,
  panel: usize,
): void {
  const groups = k / GROUP;
  const inputs = rows * limbs;
  const pair = limbs - 1;
  const stride = ldy * 4;
  let out = y;
  for (const end = y + (n & ~7) * 4; out < end; out += 32) {
    if (!ASC_FEATURE_RELAXED_SIMD) panelWords(out, stride, accumulate, pair, q, w, wscale, inputs, groups);
    else if (dot_sums_32) panelBytes<Sums32>(out, stride, accumulate, pair, q, w, wscale, inputs, groups, panel);
    else panelBytes<Sums16>(out, stride, accumulate, pair, q, w, wscale, inputs, groups, panel);
    w += groups * 128;
    wscale += groups * 16;
  }
  if (n & 7) edgeQ4(out, stride, accumulate, q, w, wscale, rows, n & 7, groups, limbs);
}

/** 8 outputs of all rows, from records of bytes. */
// @ts-ignore: decorator
@inline
function panelBytes<D>(
  y: usize, stride: i32, accumulate: i32, pair: i32, q: usize, w: usize, wscale: usize, inputs: i32, groups: i32,
  panel: usize,
): void {
  const fours = rowsInFours(inputs);
  let r = 0;
  if (inputs >= UNPACK_ROWS) {
    unpack(panel, w, wscale, groups);
    for (; r < fours; r += 4) {
      const a = q + r * groups * BYTES_RECORD;
      tileUnpacked<D>(y + (r >> pair) * stride, stride, accumulate, pair, a, panel, groups);
    }
  }
  for (; r < fours; r += 4) {
    const a = q + r * groups * BYTES_RECORD;
    tileBytes<Rows4, D>(y + (r >> pair) * stride, stride, accumulate, pair, a, w, wscale, groups);
  }
  let a = q + r * groups * BYTES_RECORD;
  let at = y + (r >> pair) * stride;
  const left = inputs - r;
  if (left == 3 || left == 5) {
    tileBytes<Rows3, D>(at, stride, accumulate, pair, a, w, wscale, groups);
    a += 3 * groups * BYTES_RECORD;
    at += 3 * stride;
  }
  if (left == 2 || left == 5) tileBytes<Rows2, D>(at, stride, accumulate, pair, a, w, wscale, groups);
  else if (left == 1) tileBytes<Rows1, D>(at, stride, accumulate, pair, a, w, wscale, groups);
}

/** As `panelBytes`, from records of words. */
// @ts-ignore: decorator
@inline
function panelWords(
  y: usize, stride: i32, accumulate: i32, pair: i32, q: usize, w: usize, wscale: usize, inputs: i32, groups: i32,
): void {
  const fours = rowsInFours(inputs);
  let r = 0;
  for (; r < fours; r += 4) {
    const a = q + r * groups * WORDS_RECORD;
    tileWordsQ4<Rows4>(y + (r >> pair) * stride, stride, accumulate, pair, a, w, wscale, groups);
  }
  let a = q + r * groups * WORDS_RECORD;
  let at = y + (r >> pair) * stride;
  const left = inputs - r;
  if (left == 3 || left == 5) {
    tileWordsQ4<Rows3>(at, stride, accumulate, pair, a, w, wscale, groups);
    a += 3 * groups * WORDS_RECORD;
    at += 3 * stride;
  }
  if (left == 2 || left == 5) tileWordsQ4<Rows2>(at, stride, accumulate, pair, a, w, wscale, groups);
  else if (left == 1) tileWordsQ4<Rows1>(at, stride, accumulate, pair, a, w, wscale, groups);
}
