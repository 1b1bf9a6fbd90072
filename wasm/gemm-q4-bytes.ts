import { NIBBLE_MASK, ONES_I16 } from './constants';
import { addDot, sums32 } from './dot';
import { smallF16x4 } from './half';
import { rowsOf, writeTile } from './tile';

/** Closes a group: integer sums to f32, times both scales. */
// @ts-ignore: decorator
@inline
function close<D>(f: v128, sum: v128, ones: v128, weightScale: v128, scale: v128): v128 {
  const dot = f32x4.convert_i32x4_s(sums32<D>() ? sum : i32x4.dot_i16x8_s(sum, ones));
  return f32x4.add(f, f32x4.mul(dot, f32x4.mul(weightScale, scale)));
}

/**
 * A tile of up to 4 rows and one panel of 8 outputs, from `bytes` records: 8 integer sums stay in registers for a group.
 *
 * Read the order of the statements as the order of the instructions: with two weight vectors, one splat and one product
 * in flight, this fits the 15 vector registers that V8 has on x64. (The f32 sums are spilled, once per group.)
 *
 * Exact in i16: a sum starts at -8 * sum(a) over its 16 k, so it ends as a sum of a * (w - 8), at most 16 * 127 * 8 in
 * magnitude. Overflows on the way wrap back.
 */
export function tileBytes<R, D>(
  y: usize, stride: i32, accumulate: i32, pair: i32, a: usize, w: usize, wscale: usize, groups: i32,
): void {
  const mask = v128.load(NIBBLE_MASK);
  let f00 = f32x4.splat(0), f01 = f32x4.splat(0), f02 = f32x4.splat(0), f03 = f32x4.splat(0);
  let f10 = f32x4.splat(0), f11 = f32x4.splat(0), f12 = f32x4.splat(0), f13 = f32x4.splat(0);
  let s00 = f00, s01 = f00, s02 = f00, s03 = f00, s10 = f00, s11 = f00, s12 = f00, s13 = f00;
  let x: v128, t: v128, p0: v128, p1: v128, b0: v128, b1: v128;
  for (; groups; groups--) {
    p0 = v128.load(w, 0);
    p1 = v128.load(w, 16);
    b0 = v128.and(p0, mask);
    b1 = v128.and(p1, mask);
    x = v128.load32_splat(a, 0); t = v128.load32_splat(a, 36); s00 = addDot<D>(t, x, b0); s10 = addDot<D>(t, x, b1);
    if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 40); t = v128.load32_splat(a, 76); s01 = addDot<D>(t, x, b0); s11 = addDot<D>(t, x, b1); }
    if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 80); t = v128.load32_splat(a, 116); s02 = addDot<D>(t, x, b0); s12 = addDot<D>(t, x, b1); }
    if (rowsOf<R>() > 3) { x = v128.load32_splat(a, 120); t = v128.load32_splat(a, 156); s03 = addDot<D>(t, x, b0); s13 = addDot<D>(t, x, b1); }
    b0 = v128.and(i16x8.shr_u(p0, 4), mask);
    b1 = v128.and(i16x8.shr_u(p1, 4), mask);
    x = v128.load32_splat(a, 4); s00 = addDot<D>(s00, x, b0); s10 = addDot<D>(s10, x, b1);
    if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 44); s01 = addDot<D>(s01, x, b0); s11 = addDot<D>(s11, x, b1); }
    if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 84); s02 = addDot<D>(s02, x, b0); s12 = addDot<D>(s12, x, b1); }
    if (rowsOf<R>() > 3) { x = v128.load32_splat(a, 124); s03 = addDot<D>(s03, x, b0); s13 = addDot<D>(s13, x, b1); }
    p0 = v128.load(w, 32);
    p1 = v128.load(w, 48);
    b0 = v128.and(p0, mask);
    b1 = v128.and(p1, mask);
    x = v128.load32_splat(a, 8); s00 = addDot<D>(s00, x, b0); s10 = addDot<D>(s10, x, b1);
    if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 48); s01 = addDot<D>(s01, x, b0); s11 = addDot<D>(s11, x, b1); }
    if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 88); s02 = addDot<D>(s02, x, b0); s12 = addDot<D>(s12, x, b1); }
    if (rowsOf<R>() > 3) { x = v128.load32_splat(a, 128); s03 = addDot<D>(s03, x, b0); s13 = addDot<D>(s13, x, b1); }
    b0 = v128.and(i16x8.shr_u(p0, 4), mask);
    b1 = v128.and(i16x8.shr_u(p1, 4), mask);
    x = v128.load32_splat(a, 12); s00 = addDot<D>(s00, x, b0); s10 = addDot<D>(s10, x, b1);
    if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 52); s01 = addDot<D>(s01, x, b0); s11 = addDot<D>(s11, x, b1); }
    if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 92); s02 = addDot<D>(s02, x, b0); s12 = addDot<D>(s12, x, b1); }
    if (rowsOf<R>() > 3) { x = v128.load32_splat(a, 132); s03 = addDot<D>(s03, x, b0); s13 = addDot<D>(s13, x, b1); }
    p0 = v128.load(w, 64);
    p1 = v128.load(w, 80);
    b0 = v128.and(p0, mask);
    b1 = v128.and(p1, mask);
    x = v128.load32_splat(a, 16); s00 = addDot<D>(s00, x, b0); s10 = addDot<D>(s10, x, b1);
    if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 56); s01 = addDot<D>(s01, x, b0); s11 = addDot<D>(s11, x, b1); }
    if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 96); s02 = addDot<D>(s02, x, b0); s12 = addDot<D>(s12, x, b1); }
    if (rowsOf<R>() > 3) { x = v128.load32_splat(a, 136); s03 = addDot<D>(s03, x, b0); s13 = addDot<D>(s13, x, b1); }
    b0 = v128.and(i16x8.shr_u(p0, 4), mask);
    b1 = v128.and(i16x8.shr_u(p1, 4), mask);
    x = v128.load32_splat(a, 20); s00 = addDot<D>(s00, x, b0); s10 = addDot<D>(s10, x, b1);
    if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 60); s01 = addDot<D>(s01, x, b0); s11 = addDot<D>(s11, x, b1); }
    if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 100); s02 = addDot<D>(s02, x, b0); s12 = addDot<D>(s12, x, b1); }
    if (rowsOf<R>() > 3) { x = v128.load32_splat(a, 140); s03 = addDot<D>(s03, x, b0); s13 = addDot<D>(s13, x, b1); }
    p0 = v128.load(w, 96);
    p1 = v128.load(w, 112);
    b0 = v128.and(p0, mask);
    b1 = v128.and(p1, mask);
    x = v128.load32_splat(a, 24); s00 = addDot<D>(s00, x, b0); s10 = addDot<D>(s10, x, b1);
    if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 64); s01 = addDot<D>(s01, x, b0); s11 = addDot<D>(s11, x, b1); }
    if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 104); s02 = addDot<D>(s02, x, b0); s12 = addDot<D>(s12, x, b1); }
    if (rowsOf<R>() > 3) { x = v128.load32_splat(a, 144); s03 = addDot<D>(s03, x, b0); s13 = addDot<D>(s13, x, b1); }
    b0 = v128.and(i16x8.shr_u(p0, 4), mask);
    b1 = v128.and(i16x8.shr_u(p1, 4), mask);
    x = v128.load32_splat(a, 28); s00 = addDot<D>(s00, x, b0); s10 = addDot<D>(s10, x, b1);
    if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 68); s01 = addDot<D>(s01, x, b0); s11 = addDot<D>(s11, x, b1); }
    if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 108); s02 = addDot<D>(s02, x, b0); s12 = addDot<D>(s12, x, b1); }
    if (rowsOf<R>() > 3) { x = v128.load32_splat(a, 148); s03 = addDot<D>(s03, x, b0); s13 = addDot<D>(s13, x, b1); }
    const ones = v128.load(ONES_I16);
    b0 = smallF16x4(wscale);
    b1 = smallF16x4(wscale + 8);
    x = v128.load32_splat(a, 32); f00 = close<D>(f00, s00, ones, b0, x); f10 = close<D>(f10, s10, ones, b1, x);
    if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 72); f01 = close<D>(f01, s01, ones, b0, x); f11 = close<D>(f11, s11, ones, b1, x); }
    if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 112); f02 = close<D>(f02, s02, ones, b0, x); f12 = close<D>(f12, s12, ones, b1, x); }
    if (rowsOf<R>() > 3) { x = v128.load32_splat(a, 152); f03 = close<D>(f03, s03, ones, b0, x); f13 = close<D>(f13, s13, ones, b1, x); }
    a += rowsOf<R>() * 40;
    w += 128;
    wscale += 16;
  }
  writeTile<R>(y, stride, accumulate, pair, f00, f10, f01, f11, f02, f12, f03, f13);
}
