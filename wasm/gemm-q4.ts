import { GROUP, NIBBLE_MASK, ONES_I16 } from './constants';
import { dotI8U4 } from './dot';
import { scalesF16x4, scaleF16 } from './half';

/**
 * y = x W^T for int8 activations and int4 weights repacked by `repack_q4`.
 *
 * y (rows, ldy) f32, columns 0..n-1 written, or added to when `accumulate` is 1 (the residual stream);
 * q (rows, K) i8, scale (rows, K/32) f32, correction (rows, K/32) i32 from `quantize_q8`; w (n, K) int4.
 * i16 sums are exact: 8 additions of at most 2*127*15 stay under 32,767 in a group of 32.
 *
 * `limbs` 2: q holds 2*rows rows, two for each output row (`quantize_q16`), and their products are added up.
 */
export function gemm_q8_q4(
  y: usize,
  ldy: i32,
  accumulate: i32,
  q: usize,
  scale: usize,
  correction: usize,
  w: usize,
  wscale: usize,
  rows: i32,
  n: i32,
  k: i32,
  limbs: i32,
): void {
  const groups = k / GROUP;
  const panels = n >> 2;
  const pair = limbs - 1;
  const stride = ldy * 4;
  const inputs = rows * limbs;
  let r = 0;
  for (; r + 4 <= inputs; r += 4) {
    const at = r * groups * 4;
    rows4(y + (r >> pair) * stride, stride, accumulate, q + r * k, scale + at, correction + at, w, wscale, panels, k, pair);
  }
  if (r + 2 <= inputs) {
    const at = r * groups * 4;
    rows2(y + (r >> pair) * stride, stride, accumulate, q + r * k, scale + at, correction + at, w, wscale, panels, k, pair);
    r += 2;
  }
  if (r < inputs) {
    const at = r * groups * 4;
    rows1(y + r * stride, accumulate, q + r * k, scale + at, correction + at, w, wscale, panels, k);
  }
  const done = panels << 2;
  if (done < n) {
    tail(y + done * 4, ldy, accumulate, q, scale, w + done * (k >> 1), wscale + done * groups * 2, rows, n - done, k, limbs);
  }
}

// @ts-ignore: decorator
@inline
function step(acc: v128, a: usize, w: v128): v128 {
  return i16x8.add(acc, dotI8U4(v128.load32_splat(a), w));
}

/** Closes a group: i16 sums to f32, times both scales. */
// @ts-ignore: decorator
@inline
function close(f: v128, acc: v128, ones: v128, ws: v128, scale: usize, correction: usize): v128 {
  const dot = i32x4.add(i32x4.dot_i16x8_s(acc, ones), v128.load32_splat(correction));
  return f32x4.add(f, f32x4.mul(f32x4.convert_i32x4_s(dot), f32x4.mul(ws, v128.load32_splat(scale))));
}

// @ts-ignore: decorator
@inline
function write(y: usize, accumulate: i32, f: v128): void {
  v128.store(y, accumulate ? f32x4.add(v128.load(y), f) : f);
}

function rows1(
  y: usize, accumulate: i32, q: usize, scale: usize, correction: usize, w: usize, wscale: usize, panels: i32, k: i32,
): void {
  const mask = v128.load(NIBBLE_MASK);
  const ones = v128.load(ONES_I16);
  const groups = k / GROUP;
  for (let p = 0; p < panels; p++) {
    let f = i32x4.splat(0);
    let a = q;
    for (let g = 0; g < groups; g++) {
      // Two chains of sums: one alone would wait for its own additions.
      let even = i32x4.splat(0);
      let odd = i32x4.splat(0);
      // Unrolled: an offset in the instruction saves an addition per load. (With 4 rows it only adds spills.)
      let packed: v128;
      packed = v128.load(w, 0);
      even = i16x8.add(even, dotI8U4(v128.load32_splat(a, 0), v128.and(packed, mask)));
      odd = i16x8.add(odd, dotI8U4(v128.load32_splat(a, 4), v128.and(i16x8.shr_u(packed, 4), mask)));
      packed = v128.load(w, 16);
      even = i16x8.add(even, dotI8U4(v128.load32_splat(a, 8), v128.and(packed, mask)));
      odd = i16x8.add(odd, dotI8U4(v128.load32_splat(a, 12), v128.and(i16x8.shr_u(packed, 4), mask)));
      packed = v128.load(w, 32);
      even = i16x8.add(even, dotI8U4(v128.load32_splat(a, 16), v128.and(packed, mask)));
      odd = i16x8.add(odd, dotI8U4(v128.load32_splat(a, 20), v128.and(i16x8.shr_u(packed, 4), mask)));
      packed = v128.load(w, 48);
      even = i16x8.add(even, dotI8U4(v128.load32_splat(a, 24), v128.and(packed, mask)));
      odd = i16x8.add(odd, dotI8U4(v128.load32_splat(a, 28), v128.and(i16x8.shr_u(packed, 4), mask)));
      f = close(f, i16x8.add(even, odd), ones, scalesF16x4(wscale), scale + g * 4, correction + g * 4);
      a += 32;
      w += 64;
      wscale += 8;
    }
    write(y, accumulate, f);
    y += 16;
  }
}

function rows2(
  y: usize, ldy: i32, accumulate: i32, q: usize, scale: usize, correction: usize, w: usize, wscale: usize, panels: i32, k: i32,
  pair: i32,
): void {
  const mask = v128.load(NIBBLE_MASK);
  const ones = v128.load(ONES_I16);
  const groups = k / GROUP;
  const next = groups * 4;
  for (let p = 0; p < panels; p++) {
    let f0 = i32x4.splat(0);
    let f1 = i32x4.splat(0);
    let a = q;
    for (let g = 0; g < groups; g++) {
      let s0 = i32x4.splat(0);
      let s1 = i32x4.splat(0);
      for (let v = 0; v < 4; v++) {
        const packed = v128.load(w + v * 16);
        const low = v128.and(packed, mask);
        const high = v128.and(i16x8.shr_u(packed, 4), mask);
        s0 = step(s0, a + v * 8, low);
        s1 = step(s1, a + k + v * 8, low);
        s0 = step(s0, a + v * 8 + 4, high);
        s1 = step(s1, a + k + v * 8 + 4, high);
      }
      const ws = scalesF16x4(wscale);
      f0 = close(f0, s0, ones, ws, scale + g * 4, correction + g * 4);
      f1 = close(f1, s1, ones, ws, scale + next + g * 4, correction + next + g * 4);
      a += 32;
      w += 64;
      wscale += 8;
    }
    if (pair) {
      write(y, accumulate, f32x4.add(f0, f1));
    } else {
      write(y, accumulate, f0);
      write(y + ldy, accumulate, f1);
    }
    y += 16;
  }
}

function rows4(
  y: usize, ldy: i32, accumulate: i32, q: usize, scale: usize, correction: usize, w: usize, wscale: usize, panels: i32, k: i32,
  pair: i32,
): void {
  const mask = v128.load(NIBBLE_MASK);
  const ones = v128.load(ONES_I16);
  const groups = k / GROUP;
  const next = groups * 4;
  for (let p = 0; p < panels; p++) {
    let f0 = i32x4.splat(0);
    let f1 = i32x4.splat(0);
    let f2 = i32x4.splat(0);
    let f3 = i32x4.splat(0);
    let a0 = q;
    let a1 = q + k;
    let a2 = a1 + k;
    let a3 = a2 + k;
    let sc = scale;
    let co = correction;
    for (let g = 0; g < groups; g++) {
      let s0 = i32x4.splat(0);
      let s1 = i32x4.splat(0);
      let s2 = i32x4.splat(0);
      let s3 = i32x4.splat(0);
      for (let v = 0; v < 4; v++) {
        const packed = v128.load(w + v * 16);
        const low = v128.and(packed, mask);
        const high = v128.and(i16x8.shr_u(packed, 4), mask);
        s0 = step(s0, a0 + v * 8, low);
        s1 = step(s1, a1 + v * 8, low);
        s2 = step(s2, a2 + v * 8, low);
        s3 = step(s3, a3 + v * 8, low);
        s0 = step(s0, a0 + v * 8 + 4, high);
        s1 = step(s1, a1 + v * 8 + 4, high);
        s2 = step(s2, a2 + v * 8 + 4, high);
        s3 = step(s3, a3 + v * 8 + 4, high);
      }
      const ws = scalesF16x4(wscale);
      f0 = close(f0, s0, ones, ws, sc, co);
      f1 = close(f1, s1, ones, ws, sc + next, co + next);
      f2 = close(f2, s2, ones, ws, sc + 2 * next, co + 2 * next);
      f3 = close(f3, s3, ones, ws, sc + 3 * next, co + 3 * next);
      a0 += 32;
      a1 += 32;
      a2 += 32;
      a3 += 32;
      sc += 4;
      co += 4;
      w += 64;
      wscale += 8;
    }
    if (pair) {
      write(y, accumulate, f32x4.add(f0, f1));
      write(y + ldy, accumulate, f32x4.add(f2, f3));
      y += 16;
      continue;
    }
    write(y, accumulate, f0);
    write(y + ldy, accumulate, f1);
    write(y + 2 * ldy, accumulate, f2);
    write(y + 3 * ldy, accumulate, f3);
    y += 16;
  }
}

/** The last n % 4 outputs, still in the file's layout. */
function tail(
  y: usize, ldy: i32, accumulate: i32, q: usize, scale: usize, w: usize, wscale: usize, rows: i32, n: i32, k: i32, limbs: i32,
): void {
  const groups = k / GROUP;
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < n; c++) {
      let sum: f32 = 0;
      for (let l = r * limbs; l < (r + 1) * limbs; l++) {
        for (let g = 0; g < groups; g++) {
          let dot = 0;
          for (let j = 0; j < 16; j++) {
            const b = <i32>load<u8>(w + (c * groups + g) * 16 + j);
            const a = q + l * k + g * 32 + 2 * j;
            dot += <i32>load<i8>(a) * ((b & 15) - 8) + <i32>load<i8>(a, 1) * ((b >> 4) - 8);
          }
          sum += <f32>dot * (scaleF16(wscale + (c * groups + g) * 2) * load<f32>(scale + (l * groups + g) * 4));
        }
      }
      const at = y + (r * ldy + c) * 4;
      store<f32>(at, accumulate ? load<f32>(at) + sum : sum);
    }
  }
}
