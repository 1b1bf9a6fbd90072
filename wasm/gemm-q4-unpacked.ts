import { NIBBLE_MASK, ONES_I16 } from './constants';
import { addDot, sums32 } from './dot';
import { smallF16x4 } from './half';
import { Rows4, writeTile } from './tile';

/** Sums of 32 bits. */
// @ts-ignore: decorator
@inline
function whole<D>(sum: v128, ones: v128): v128 {
  return sums32<D>() ? sum : i32x4.dot_i16x8_s(sum, ones);
}

/** f + dot * weightScale * scale, in the order of `tileBytes`. */
// @ts-ignore: decorator
@inline
function scaleDot(f: v128, dot: v128, weightScale: v128, scale: v128): v128 {
  return f32x4.add(f, f32x4.mul(f32x4.convert_i32x4_s(dot), f32x4.mul(weightScale, scale)));
}

/**
 * `tileBytes` for 4 of many rows, from a panel that `unpack` wrote. The integer sums of all groups come first, then their
 * scales. The end of a group is a chain of five instructions: in the first loop it would delay the next group.
 *
 * panel: groups * (288 + 128) bytes, the last 128 * groups for the sums.
 */
export function tileUnpacked<D>(
  y: usize, stride: i32, accumulate: i32, pair: i32, records: usize, panel: usize, groups: i32,
): void {
  const ones = v128.load(ONES_I16);
  let x: v128, t: v128, b0: v128, b1: v128;
  let s00: v128, s01: v128, s02: v128, s03: v128, s10: v128, s11: v128, s12: v128, s13: v128;
  let a = records;
  let w = panel;
  const scales = panel + groups * 256;
  let dots = scales + groups * 32;
  for (; w < scales; w += 256) {
    b0 = v128.load(w, 0);
    b1 = v128.load(w, 16);
    x = v128.load32_splat(a, 0);
    t = v128.load32_splat(a, 36);
    s00 = addDot<D>(t, x, b0);
    s10 = addDot<D>(t, x, b1);
    x = v128.load32_splat(a, 40);
    t = v128.load32_splat(a, 76);
    s01 = addDot<D>(t, x, b0);
    s11 = addDot<D>(t, x, b1);
    x = v128.load32_splat(a, 80);
    t = v128.load32_splat(a, 116);
    s02 = addDot<D>(t, x, b0);
    s12 = addDot<D>(t, x, b1);
    x = v128.load32_splat(a, 120);
    t = v128.load32_splat(a, 156);
    s03 = addDot<D>(t, x, b0);
    s13 = addDot<D>(t, x, b1);
    b0 = v128.load(w, 32);
    b1 = v128.load(w, 48);
    x = v128.load32_splat(a, 4);
    s00 = addDot<D>(s00, x, b0);
    s10 = addDot<D>(s10, x, b1);
    x = v128.load32_splat(a, 44);
    s01 = addDot<D>(s01, x, b0);
    s11 = addDot<D>(s11, x, b1);
    x = v128.load32_splat(a, 84);
    s02 = addDot<D>(s02, x, b0);
    s12 = addDot<D>(s12, x, b1);
    x = v128.load32_splat(a, 124);
    s03 = addDot<D>(s03, x, b0);
    s13 = addDot<D>(s13, x, b1);
    b0 = v128.load(w, 64);
    b1 = v128.load(w, 80);
    x = v128.load32_splat(a, 8);
    s00 = addDot<D>(s00, x, b0);
    s10 = addDot<D>(s10, x, b1);
    x = v128.load32_splat(a, 48);
    s01 = addDot<D>(s01, x, b0);
    s11 = addDot<D>(s11, x, b1);
    x = v128.load32_splat(a, 88);
    s02 = addDot<D>(s02, x, b0);
    s12 = addDot<D>(s12, x, b1);
    x = v128.load32_splat(a, 128);
    s03 = addDot<D>(s03, x, b0);
    s13 = addDot<D>(s13, x, b1);
    b0 = v128.load(w, 96);
    b1 = v128.load(w, 112);
    x = v128.load32_splat(a, 12);
    s00 = addDot<D>(s00, x, b0);
    s10 = addDot<D>(s10, x, b1);
    x = v128.load32_splat(a, 52);
    s01 = addDot<D>(s01, x, b0);
    s11 = addDot<D>(s11, x, b1);
    x = v128.load32_splat(a, 92);
    s02 = addDot<D>(s02, x, b0);
    s12 = addDot<D>(s12, x, b1);
    x = v128.load32_splat(a, 132);
    s03 = addDot<D>(s03, x, b0);
    s13 = addDot<D>(s13, x, b1);
    b0 = v128.load(w, 128);
    b1 = v128.load(w, 144);
    x = v128.load32_splat(a, 16);
    s00 = addDot<D>(s00, x, b0);
    s10 = addDot<D>(s10, x, b1);
    x = v128.load32_splat(a, 56);
    s01 = addDot<D>(s01, x, b0);
    s11 = addDot<D>(s11, x, b1);
    x = v128.load32_splat(a, 96);
    s02 = addDot<D>(s02, x, b0);
    s12 = addDot<D>(s12, x, b1);
    x = v128.load32_splat(a, 136);
    s03 = addDot<D>(s03, x, b0);
    s13 = addDot<D>(s13, x, b1);
    b0 = v128.load(w, 160);
    b1 = v128.load(w, 176);
    x = v128.load32_splat(a, 20);
    s00 = addDot<D>(s00, x, b0);
    s10 = addDot<D>(s10, x, b1);
    x = v128.load32_splat(a, 60);
    s01 = addDot<D>(s01, x, b0);
    s11 = addDot<D>(s11, x, b1);
    x = v128.load32_splat(a, 100);
    s02 = addDot<D>(s02, x, b0);
    s12 = addDot<D>(s12, x, b1);
    x = v128.load32_splat(a, 140);
    s03 = addDot<D>(s03, x, b0);
    s13 = addDot<D>(s13, x, b1);
    b0 = v128.load(w, 192);
    b1 = v128.load(w, 208);
    x = v128.load32_splat(a, 24);
    s00 = addDot<D>(s00, x, b0);
    s10 = addDot<D>(s10, x, b1);
    x = v128.load32_splat(a, 64);
    s01 = addDot<D>(s01, x, b0);
    s11 = addDot<D>(s11, x, b1);
    x = v128.load32_splat(a, 104);
    s02 = addDot<D>(s02, x, b0);
    s12 = addDot<D>(s12, x, b1);
    x = v128.load32_splat(a, 144);
    s03 = addDot<D>(s03, x, b0);
    s13 = addDot<D>(s13, x, b1);
    b0 = v128.load(w, 224);
    b1 = v128.load(w, 240);
    x = v128.load32_splat(a, 28);
    s00 = addDot<D>(s00, x, b0);
    s10 = addDot<D>(s10, x, b1);
    x = v128.load32_splat(a, 68);
    s01 = addDot<D>(s01, x, b0);
    s11 = addDot<D>(s11, x, b1);
    x = v128.load32_splat(a, 108);
    s02 = addDot<D>(s02, x, b0);
    s12 = addDot<D>(s12, x, b1);
    x = v128.load32_splat(a, 148);
    s03 = addDot<D>(s03, x, b0);
    s13 = addDot<D>(s13, x, b1);
    v128.store(dots, whole<D>(s00, ones), 0);
    v128.store(dots, whole<D>(s10, ones), 16);
    v128.store(dots, whole<D>(s01, ones), 32);
    v128.store(dots, whole<D>(s11, ones), 48);
    v128.store(dots, whole<D>(s02, ones), 64);
    v128.store(dots, whole<D>(s12, ones), 80);
    v128.store(dots, whole<D>(s03, ones), 96);
    v128.store(dots, whole<D>(s13, ones), 112);
    a += 160;
    dots += 128;
  }
  let f00 = f32x4.splat(0), f01 = f00, f02 = f00, f03 = f00, f10 = f00, f11 = f00, f12 = f00, f13 = f00;
  a = records;
  dots = scales + groups * 32;
  for (const end = dots; w < end; w += 32) {
    const w0 = v128.load(w, 0);
    const w1 = v128.load(w, 16);
    x = v128.load32_splat(a, 32);
    f00 = scaleDot(f00, v128.load(dots, 0), w0, x);
    f10 = scaleDot(f10, v128.load(dots, 16), w1, x);
    x = v128.load32_splat(a, 72);
    f01 = scaleDot(f01, v128.load(dots, 32), w0, x);
    f11 = scaleDot(f11, v128.load(dots, 48), w1, x);
    x = v128.load32_splat(a, 112);
    f02 = scaleDot(f02, v128.load(dots, 64), w0, x);
    f12 = scaleDot(f12, v128.load(dots, 80), w1, x);
    x = v128.load32_splat(a, 152);
    f03 = scaleDot(f03, v128.load(dots, 96), w0, x);
    f13 = scaleDot(f13, v128.load(dots, 112), w1, x);
    a += 160;
    dots += 128;
  }
  writeTile<Rows4>(y, stride, accumulate, pair, f00, f10, f01, f11, f02, f12, f03, f13);
}

/** A panel of 8 outputs, unpacked: (groups, 8, 2, 16) i8, then scales (groups, 8) f32: groups * 288 bytes. */
export function unpack(to: usize, w: usize, wscale: usize, groups: i32): void {
  const mask = v128.load(NIBBLE_MASK);
  for (const end = w + groups * 128; w < end; w += 32) {
    const p0 = v128.load(w, 0);
    const p1 = v128.load(w, 16);
    v128.store(to, v128.and(p0, mask), 0);
    v128.store(to, v128.and(p1, mask), 16);
    v128.store(to, v128.and(i16x8.shr_u(p0, 4), mask), 32);
    v128.store(to, v128.and(i16x8.shr_u(p1, 4), mask), 48);
    to += 64;
  }
  for (const end = wscale + groups * 16; wscale < end; wscale += 8) {
    v128.store(to, smallF16x4(wscale));
    to += 16;
  }
}
