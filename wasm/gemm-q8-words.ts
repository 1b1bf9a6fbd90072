import { smallF16x4 } from './half';
import { rowsOf, writeTile } from './tile';
import { close, step } from './words';

/** A tile of up to 4 rows and one panel of 8 int8 outputs, from `words` records: products of 16 bits, sums of 32. */
export function tileWordsQ8<R>(
  y: usize, stride: i32, accumulate: i32, pair: i32, a: usize, w: usize, wscale: usize, groups: i32,
): void {
  let f00 = f32x4.splat(0), f01 = f32x4.splat(0), f02 = f32x4.splat(0), f03 = f32x4.splat(0);
  let f10 = f32x4.splat(0), f11 = f32x4.splat(0), f12 = f32x4.splat(0), f13 = f32x4.splat(0);
  let s00 = f00, s01 = f00, s02 = f00, s03 = f00, s10 = f00, s11 = f00, s12 = f00, s13 = f00;
  let x: v128, p0: v128, p1: v128, b0: v128, b1: v128;
  for (; groups; groups--) {
    p0 = v128.load(w, 0);
    p1 = v128.load(w, 16);
    b0 = i16x8.shr_s(i16x8.shl(p0, 8), 8);
    b1 = i16x8.shr_s(i16x8.shl(p1, 8), 8);
    x = v128.load32_splat(a, 0); s00 = i32x4.dot_i16x8_s(x, b0); s10 = i32x4.dot_i16x8_s(x, b1);
    if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 72); s01 = i32x4.dot_i16x8_s(x, b0); s11 = i32x4.dot_i16x8_s(x, b1); }
    if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 144); s02 = i32x4.dot_i16x8_s(x, b0); s12 = i32x4.dot_i16x8_s(x, b1); }
    if (rowsOf<R>() > 3) { x = v128.load32_splat(a, 216); s03 = i32x4.dot_i16x8_s(x, b0); s13 = i32x4.dot_i16x8_s(x, b1); }
    b0 = i16x8.shr_s(p0, 8);
    b1 = i16x8.shr_s(p1, 8);
    x = v128.load32_splat(a, 16); s00 = step(s00, x, b0); s10 = step(s10, x, b1);
    if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 88); s01 = step(s01, x, b0); s11 = step(s11, x, b1); }
    if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 160); s02 = step(s02, x, b0); s12 = step(s12, x, b1); }
    if (rowsOf<R>() > 3) { x = v128.load32_splat(a, 232); s03 = step(s03, x, b0); s13 = step(s13, x, b1); }
    p0 = v128.load(w, 32);
    p1 = v128.load(w, 48);
    b0 = i16x8.shr_s(i16x8.shl(p0, 8), 8);
    b1 = i16x8.shr_s(i16x8.shl(p1, 8), 8);
    x = v128.load32_splat(a, 4); s00 = step(s00, x, b0); s10 = step(s10, x, b1);
    if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 76); s01 = step(s01, x, b0); s11 = step(s11, x, b1); }
    if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 148); s02 = step(s02, x, b0); s12 = step(s12, x, b1); }
    if (rowsOf<R>() > 3) { x = v128.load32_splat(a, 220); s03 = step(s03, x, b0); s13 = step(s13, x, b1); }
    b0 = i16x8.shr_s(p0, 8);
    b1 = i16x8.shr_s(p1, 8);
    x = v128.load32_splat(a, 20); s00 = step(s00, x, b0); s10 = step(s10, x, b1);
    if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 92); s01 = step(s01, x, b0); s11 = step(s11, x, b1); }
    if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 164); s02 = step(s02, x, b0); s12 = step(s12, x, b1); }
    if (rowsOf<R>() > 3) { x = v128.load32_splat(a, 236); s03 = step(s03, x, b0); s13 = step(s13, x, b1); }
    p0 = v128.load(w, 64);
    p1 = v128.load(w, 80);
    b0 = i16x8.shr_s(i16x8.shl(p0, 8), 8);
    b1 = i16x8.shr_s(i16x8.shl(p1, 8), 8);
    x = v128.load32_splat(a, 8); s00 = step(s00, x, b0); s10 = step(s10, x, b1);
    if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 80); s01 = step(s01, x, b0); s11 = step(s11, x, b1); }
    if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 152); s02 = step(s02, x, b0); s12 = step(s12, x, b1); }
    if (rowsOf<R>() > 3) { x = v128.load32_splat(a, 224); s03 = step(s03, x, b0); s13 = step(s13, x, b1); }
    b0 = i16x8.shr_s(p0, 8);
    b1 = i16x8.shr_s(p1, 8);
    x = v128.load32_splat(a, 24); s00 = step(s00, x, b0); s10 = step(s10, x, b1);
    if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 96); s01 = step(s01, x, b0); s11 = step(s11, x, b1); }
    if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 168); s02 = step(s02, x, b0); s12 = step(s12, x, b1); }
    if (rowsOf<R>() > 3) { x = v128.load32_splat(a, 240); s03 = step(s03, x, b0); s13 = step(s13, x, b1); }
    p0 = v128.load(w, 96);
    p1 = v128.load(w, 112);
    b0 = i16x8.shr_s(i16x8.shl(p0, 8), 8);
    b1 = i16x8.shr_s(i16x8.shl(p1, 8), 8);
    x = v128.load32_splat(a, 12); s00 = step(s00, x, b0); s10 = step(s10, x, b1);
    if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 84); s01 = step(s01, x, b0); s11 = step(s11, x, b1); }
    if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 156); s02 = step(s02, x, b0); s12 = step(s12, x, b1); }
    if (rowsOf<R>() > 3) { x = v128.load32_splat(a, 228); s03 = step(s03, x, b0); s13 = step(s13, x, b1); }
    b0 = i16x8.shr_s(p0, 8);
    b1 = i16x8.shr_s(p1, 8);
    x = v128.load32_splat(a, 28); s00 = step(s00, x, b0); s10 = step(s10, x, b1);
    if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 100); s01 = step(s01, x, b0); s11 = step(s11, x, b1); }
    if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 172); s02 = step(s02, x, b0); s12 = step(s12, x, b1); }
    if (rowsOf<R>() > 3) { x = v128.load32_splat(a, 244); s03 = step(s03, x, b0); s13 = step(s13, x, b1); }
    p0 = v128.load(w, 128);
    p1 = v128.load(w, 144);
    b0 = i16x8.shr_s(i16x8.shl(p0, 8), 8);
    b1 = i16x8.shr_s(i16x8.shl(p1, 8), 8);
    x = v128.load32_splat(a, 32); s00 = step(s00, x, b0); s10 = step(s10, x, b1);
    if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 104); s01 = step(s01, x, b0); s11 = step(s11, x, b1); }
    if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 176); s02 = step(s02, x, b0); s12 = step(s12, x, b1); }
    if (rowsOf<R>() > 3) { x = v128.load32_splat(a, 248); s03 = step(s03, x, b0); s13 = step(s13, x, b1); }
    b0 = i16x8.shr_s(p0, 8);
    b1 = i16x8.shr_s(p1, 8);
    x = v128.load32_splat(a, 48); s00 = step(s00, x, b0); s10 = step(s10, x, b1);
    if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 120); s01 = step(s01, x, b0); s11 = step(s11, x, b1); }
    if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 192); s02 = step(s02, x, b0); s12 = step(s12, x, b1); }
    if (rowsOf<R>() > 3) { x = v128.load32_splat(a, 264); s03 = step(s03, x, b0); s13 = step(s13, x, b1); }
    p0 = v128.load(w, 160);
    p1 = v128.load(w, 176);
    b0 = i16x8.shr_s(i16x8.shl(p0, 8), 8);
    b1 = i16x8.shr_s(i16x8.shl(p1, 8), 8);
    x = v128.load32_splat(a, 36); s00 = step(s00, x, b0); s10 = step(s10, x, b1);
    if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 108); s01 = step(s01, x, b0); s11 = step(s11, x, b1); }
    if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 180); s02 = step(s02, x, b0); s12 = step(s12, x, b1); }
    if (rowsOf<R>() > 3) { x = v128.load32_splat(a, 252); s03 = step(s03, x, b0); s13 = step(s13, x, b1); }
    b0 = i16x8.shr_s(p0, 8);
    b1 = i16x8.shr_s(p1, 8);
    x = v128.load32_splat(a, 52); s00 = step(s00, x, b0); s10 = step(s10, x, b1);
    if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 124); s01 = step(s01, x, b0); s11 = step(s11, x, b1); }
    if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 196); s02 = step(s02, x, b0); s12 = step(s12, x, b1); }
    if (rowsOf<R>() > 3) { x = v128.load32_splat(a, 268); s03 = step(s03, x, b0); s13 = step(s13, x, b1); }
    p0 = v128.load(w, 192);
    p1 = v128.load(w, 208);
    b0 = i16x8.shr_s(i16x8.shl(p0, 8), 8);
    b1 = i16x8.shr_s(i16x8.shl(p1, 8), 8);
    x = v128.load32_splat(a, 40); s00 = step(s00, x, b0); s10 = step(s10, x, b1);
    if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 112); s01 = step(s01, x, b0); s11 = step(s11, x, b1); }
    if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 184); s02 = step(s02, x, b0); s12 = step(s12, x, b1); }
    if (rowsOf<R>() > 3) { x = v128.load32_splat(a, 256); s03 = step(s03, x, b0); s13 = step(s13, x, b1); }
    b0 = i16x8.shr_s(p0, 8);
    b1 = i16x8.shr_s(p1, 8);
    x = v128.load32_splat(a, 56); s00 = step(s00, x, b0); s10 = step(s10, x, b1);
    if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 128); s01 = step(s01, x, b0); s11 = step(s11, x, b1); }
    if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 200); s02 = step(s02, x, b0); s12 = step(s12, x, b1); }
    if (rowsOf<R>() > 3) { x = v128.load32_splat(a, 272); s03 = step(s03, x, b0); s13 = step(s13, x, b1); }
    p0 = v128.load(w, 224);
    p1 = v128.load(w, 240);
    b0 = i16x8.shr_s(i16x8.shl(p0, 8), 8);
    b1 = i16x8.shr_s(i16x8.shl(p1, 8), 8);
    x = v128.load32_splat(a, 44); s00 = step(s00, x, b0); s10 = step(s10, x, b1);
    if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 116); s01 = step(s01, x, b0); s11 = step(s11, x, b1); }
    if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 188); s02 = step(s02, x, b0); s12 = step(s12, x, b1); }
    if (rowsOf<R>() > 3) { x = v128.load32_splat(a, 260); s03 = step(s03, x, b0); s13 = step(s13, x, b1); }
    b0 = i16x8.shr_s(p0, 8);
    b1 = i16x8.shr_s(p1, 8);
    x = v128.load32_splat(a, 60); s00 = step(s00, x, b0); s10 = step(s10, x, b1);
    if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 132); s01 = step(s01, x, b0); s11 = step(s11, x, b1); }
    if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 204); s02 = step(s02, x, b0); s12 = step(s12, x, b1); }
    if (rowsOf<R>() > 3) { x = v128.load32_splat(a, 276); s03 = step(s03, x, b0); s13 = step(s13, x, b1); }
    b0 = smallF16x4(wscale);
    b1 = smallF16x4(wscale + 8);
    x = v128.load32_splat(a, 64); f00 = close(f00, s00, b0, x); f10 = close(f10, s10, b1, x);
    if (rowsOf<R>() > 1) { x = v128.load32_splat(a, 136); f01 = close(f01, s01, b0, x); f11 = close(f11, s11, b1, x); }
    if (rowsOf<R>() > 2) { x = v128.load32_splat(a, 208); f02 = close(f02, s02, b0, x); f12 = close(f12, s12, b1, x); }
    if (rowsOf<R>() > 3) { x = v128.load32_splat(a, 280); f03 = close(f03, s03, b0, x); f13 = close(f13, s13, b1, x); }
    a += rowsOf<R>() * 72;
    w += 256;
    wscale += 16;
  }
  writeTile<R>(y, stride, accumulate, pair, f00, f10, f01, f11, f02, f12, f03, f13);
}
