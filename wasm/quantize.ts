import { BYTES_RECORD, recordsOf, rowsInTile, WORDS_RECORD } from './activations';
import { GROUP } from './constants';
import { dot_sums_32 } from './dot';
import { expF32x4, sumF32x4 } from './exp';
import { RESCALE } from './half';
import { largest, roundF32x4, roundI32x4 } from './round';

/** The last f32 below 2^16. */
// @ts-ignore: decorator
@inline
const LARGEST_SCALE: f32 = 65535.99609375;

/** Bytes of a record in the encoding that a reader of `words` wants. */
// @ts-ignore: decorator
@inline
function recordBytes(words: i32): i32 {
  return !ASC_FEATURE_RELAXED_SIMD || words ? WORDS_RECORD : BYTES_RECORD;
}

/**
 * Activations to int8, one scale per group of 32: round(x / scale), scale = max|x| / 127. With `limbs` 2 the rounding error
 * is quantized again and becomes one more row: 15 bits together.
 *
 * x (rows, K) f32 -> q: records of rows * limbs rows (`activations.ts`). They are of words if `words` is 1 or in the build
 * without relaxed SIMD, else of bytes. K is a multiple of 32. Only rows `from` to before `to` are read and written: threads
 * share the rows.
 */
export function quantize(q: usize, x: usize, rows: i32, k: i32, limbs: i32, words: i32, from: i32, to: i32): void {
  const groups = k / GROUP;
  const total = rows * limbs;
  x += from * k * 4;
  for (let r = from * limbs; r < to * limbs; r += limbs) {
    const step = rowsInTile(r, total) * recordBytes(words);
    let at = recordsOf(q, r, total, groups, recordBytes(words));
    for (let g = 0; g < groups; g++) {
      quantizeGroup(
        at, limbs, words, v128.load(x, 0), v128.load(x, 16), v128.load(x, 32), v128.load(x, 48), v128.load(x, 64),
        v128.load(x, 80), v128.load(x, 96), v128.load(x, 112),
      );
      x += 128;
      at += step;
    }
  }
}

/** `quantize` of x / sqrt(mean(x^2) + eps) * w. x (rows, d) f32, w (d) f32; d is a multiple of 32. */
export function rms_norm_quantize(
  q: usize, x: usize, w: usize, rows: i32, d: i32, eps: f32, limbs: i32, words: i32, from: i32, to: i32,
): void {
  const groups = d / GROUP;
  const total = rows * limbs;
  x += from * d * 4;
  for (let r = from * limbs; r < to * limbs; r += limbs) {
    let squares = f32x4.splat(0);
    for (let j = 0; j < d * 4; j += 16) {
      const v = v128.load(x + j);
      squares = f32x4.add(squares, f32x4.mul(v, v));
    }
    const inverse = f32x4.splat(<f32>1.0 / Mathf.sqrt(sumF32x4(squares) / <f32>d + eps));
    const step = rowsInTile(r, total) * recordBytes(words);
    let at = recordsOf(q, r, total, groups, recordBytes(words));
    let weights = w;
    for (let g = 0; g < groups; g++) {
      quantizeGroup(
        at, limbs, words,
        f32x4.mul(f32x4.mul(v128.load(x, 0), inverse), v128.load(weights, 0)),
        f32x4.mul(f32x4.mul(v128.load(x, 16), inverse), v128.load(weights, 16)),
        f32x4.mul(f32x4.mul(v128.load(x, 32), inverse), v128.load(weights, 32)),
        f32x4.mul(f32x4.mul(v128.load(x, 48), inverse), v128.load(weights, 48)),
        f32x4.mul(f32x4.mul(v128.load(x, 64), inverse), v128.load(weights, 64)),
        f32x4.mul(f32x4.mul(v128.load(x, 80), inverse), v128.load(weights, 80)),
        f32x4.mul(f32x4.mul(v128.load(x, 96), inverse), v128.load(weights, 96)),
        f32x4.mul(f32x4.mul(v128.load(x, 112), inverse), v128.load(weights, 112)),
      );
      x += 128;
      weights += 128;
      at += step;
    }
  }
}

/** `quantize` of silu(gate) * up, silu(g) = g / (1 + e^-g). gateUp (rows, 2n) f32: gate then up; n % 32 = 0. */
export function swiglu_quantize(
  q: usize, gateUp: usize, rows: i32, n: i32, limbs: i32, words: i32, from: i32, to: i32,
): void {
  const groups = n / GROUP;
  const total = rows * limbs;
  gateUp += from * n * 8;
  for (let r = from * limbs; r < to * limbs; r += limbs) {
    const step = rowsInTile(r, total) * recordBytes(words);
    let at = recordsOf(q, r, total, groups, recordBytes(words));
    for (let g = 0; g < groups; g++) {
      const up = gateUp + n * 4;
      quantizeGroup(
        at, limbs, words,
        siluTimes(v128.load(gateUp, 0), v128.load(up, 0)),
        siluTimes(v128.load(gateUp, 16), v128.load(up, 16)),
        siluTimes(v128.load(gateUp, 32), v128.load(up, 32)),
        siluTimes(v128.load(gateUp, 48), v128.load(up, 48)),
        siluTimes(v128.load(gateUp, 64), v128.load(up, 64)),
        siluTimes(v128.load(gateUp, 80), v128.load(up, 80)),
        siluTimes(v128.load(gateUp, 96), v128.load(up, 96)),
        siluTimes(v128.load(gateUp, 112), v128.load(up, 112)),
      );
      gateUp += 128;
      at += step;
    }
    gateUp += n * 4;
  }
}

/** y = silu(gate) * up. gateUp (rows, 2n) f32: gate then up; y (rows, n). n % 4 = 0. */
export function swiglu(y: usize, gateUp: usize, rows: i32, n: i32): void {
  const bytes = n * 4;
  for (let r = 0; r < rows; r++) {
    for (let j = 0; j < bytes; j += 16) {
      v128.store(y + j, siluTimes(v128.load(gateUp + j), v128.load(gateUp + bytes + j)));
    }
    gateUp += 2 * bytes;
    y += bytes;
  }
}

const LARGEST: usize = memory.data<f32>([87.0, 87.0, 87.0, 87.0], 16);
const ONES: usize = memory.data<f32>([1.0, 1.0, 1.0, 1.0], 16);

// @ts-ignore: decorator
@inline
function siluTimes(gate: v128, up: v128): v128 {
  // e^-g past 2^127 would be infinite; silu is 0 to f32 precision long before.
  const e = expF32x4(f32x4.pmin(f32x4.neg(gate), v128.load(LARGEST)));
  return f32x4.mul(f32x4.div(gate, f32x4.add(v128.load(ONES), e)), up);
}

/**
 * 32 floats to the record at `at`, or with two limbs to it and the one after it. The floats are arguments, not memory at a
 * fixed address, so several threads may be here at once.
 */
function quantizeGroup(
  at: usize, limbs: i32, words: i32, x0: v128, x1: v128, x2: v128, x3: v128, x4: v128, x5: v128, x6: v128, x7: v128,
): void {
  const high = f32x4.pmax(
    f32x4.pmax(f32x4.pmax(x0, x1), f32x4.pmax(x2, x3)),
    f32x4.pmax(f32x4.pmax(x4, x5), f32x4.pmax(x6, x7)),
  );
  const low = f32x4.pmin(
    f32x4.pmin(f32x4.pmin(x0, x1), f32x4.pmin(x2, x3)),
    f32x4.pmin(f32x4.pmin(x4, x5), f32x4.pmin(x6, x7)),
  );
  const max = largest(high, low);
  const inverse = f32x4.splat(max > 0 ? <f32>127.0 / max : <f32>0.0);
  const first = i8x16.narrow_i16x8_s(
    i16x8.narrow_i32x4_s(round(x0, inverse), round(x1, inverse)),
    i16x8.narrow_i32x4_s(round(x2, inverse), round(x3, inverse)),
  );
  const second = i8x16.narrow_i16x8_s(
    i16x8.narrow_i32x4_s(round(x4, inverse), round(x5, inverse)),
    i16x8.narrow_i32x4_s(round(x6, inverse), round(x7, inverse)),
  );
  const scale = max / <f32>127.0;
  const stored = min(scale, LARGEST_SCALE) * RESCALE;
  // Two 16-bit sums in each 32-bit lane: of k % 4 in {0, 1}, and of {2, 3}.
  let sums = i16x8.add(i16x8.extadd_pairwise_i8x16_s(first), i16x8.extadd_pairwise_i8x16_s(second));
  sums = i16x8.add(sums, v128.shuffle<i32>(sums, sums, 2, 3, 0, 1));
  sums = i16x8.add(sums, v128.shuffle<i32>(sums, sums, 1, 0, 3, 2));
  const halves = i32x4.extract_lane(i16x8.shl(i16x8.neg(sums), 3), 0);
  const whole = <i32>(<i16>halves) + (halves >> 16);
  if (!ASC_FEATURE_RELAXED_SIMD || words) {
    v128.store(at, i16x8.shr_s(i16x8.shl(first, 8), 8), 0);
    v128.store(at, i16x8.shr_s(first, 8), 16);
    v128.store(at, i16x8.shr_s(i16x8.shl(second, 8), 8), 32);
    v128.store(at, i16x8.shr_s(second, 8), 48);
    store<f32>(at, stored, 64);
    store<i32>(at, whole, 68);
  } else {
    v128.store(at, first, 0);
    v128.store(at, second, 16);
    store<f32>(at, stored, 32);
    store<i32>(at, dot_sums_32 ? whole : halves, 36);
  }
  if (limbs == 2) {
    const unit = f32x4.splat(scale);
    quantizeGroup(
      at + recordBytes(words), 1, words, rest(x0, inverse, unit), rest(x1, inverse, unit), rest(x2, inverse, unit),
      rest(x3, inverse, unit), rest(x4, inverse, unit), rest(x5, inverse, unit), rest(x6, inverse, unit),
      rest(x7, inverse, unit),
    );
  }
}

// @ts-ignore: decorator
@inline
function round(x: v128, inverse: v128): v128 {
  return roundI32x4(f32x4.mul(x, inverse));
}

/** Rounding error of x. */
// @ts-ignore: decorator
@inline
function rest(x: v128, inverse: v128, unit: v128): v128 {
  return f32x4.sub(x, f32x4.mul(roundF32x4(f32x4.mul(x, inverse)), unit));
}
