import { rowsInFours, WORDS_RECORD } from './activations';
import { GROUP } from './constants';
import { edgeQ8 } from './gemm-edge';
import { tileWordsQ8 } from './gemm-q8-words';
import { Rows1, Rows2, Rows3, Rows4 } from './tile';

/**
 * y = x W^T for int8 activations and int8 weights repacked by `repack_q8`; arguments as in `gemm_q8_q4`, with records
 * of words (`quantize` with words: 1). Exact: products and sums of a group are integers.
 */
export function gemm_q8_q8(
  y: usize, ldy: i32, accumulate: i32, q: usize, w: usize, wscale: usize, rows: i32, n: i32, k: i32, limbs: i32,
): void {
  const groups = k / GROUP;
  const inputs = rows * limbs;
  const pair = limbs - 1;
  const stride = ldy * 4;
  const fours = rowsInFours(inputs);
  let out = y;
  for (const end = y + (n & ~7) * 4; out < end; out += 32) {
    let r = 0;
    for (; r < fours; r += 4) {
      const a = q + r * groups * WORDS_RECORD;
      tileWordsQ8<Rows4>(out + (r >> pair) * stride, stride, accumulate, pair, a, w, wscale, groups);
    }
    let a = q + r * groups * WORDS_RECORD;
    let at = out + (r >> pair) * stride;
    const left = inputs - r;
    if (left == 3 || left == 5) {
      tileWordsQ8<Rows3>(at, stride, accumulate, pair, a, w, wscale, groups);
      a += 3 * groups * WORDS_RECORD;
      at += 3 * stride;
    }
    if (left == 2 || left == 5) tileWordsQ8<Rows2>(at, stride, accumulate, pair, a, w, wscale, groups);
    else if (left == 1) tileWordsQ8<Rows1>(at, stride, accumulate, pair, a, w, wscale, groups);
    w += groups * 256;
    wscale += groups * 16;
  }
  if (n & 7) edgeQ8(out, stride, accumulate, q, w, wscale, rows, n & 7, groups, limbs);
}
