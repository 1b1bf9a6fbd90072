/**
 * The two dot products of relaxed SIMD that the int4 kernels can use. Both are exact for int8 times 0..15: w is inside the
 * i7 range, so every engine gives the same integers.
 *
 * - `Sums16`: `i16x8.relaxed_dot_i8x16_i7x16_s` and an addition, two sums of 16 bits for each output.
 * - `Sums32`: `i32x4.relaxed_dot_i8x16_i7x16_add_s`, one sum of 32 bits. It is one instruction where the processor has
 *   `vpdpbusd` or `sdot`, and four where it has neither.
 */
@unmanaged
export class Sums16 {}
@unmanaged
export class Sums32 {
  a!: u8;
}

/** Known when a kernel is compiled, as `rowsOf` is. */
// @ts-ignore: decorator
@inline
export function sums32<D>(): bool {
  return offsetof<D>() == 1;
}

const POSITIVE: usize = memory.data<i8>([127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127], 16);
const NEGATIVE: usize = memory.data<i8>([-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1], 16);

/**
 * 127 * -1, four times, by the dot product of `Sums32`. -1 is no 7-bit number, so the sum tells the instruction: 129540 is
 * `vpdpbusd`, 65534 is `vpmaddubsw`, which saturates, and -508 is `sdot`. Without relaxed SIMD it is 0.
 */
export function probe_dot(): i32 {
  if (!ASC_FEATURE_RELAXED_SIMD) return 0;
  // The operands come from memory: a compiler must not compute the answer of another machine.
  const dot = i32x4.relaxed_dot_i8x16_i7x16_add_s(v128.load(POSITIVE), v128.load(NEGATIVE), i32x4.splat(0));
  return i32x4.extract_lane(dot, 0);
}

/** Where a 32-bit sum costs one instruction. Tests set it to run the other kernel; records must be made anew then. */
export let dot_sums_32: bool = ASC_FEATURE_RELAXED_SIMD ? probe_dot() != 65534 : false;

/** sum + the products of the int8 a and the weights w, 0..15. */
// @ts-ignore: decorator
@inline
export function addDot<D>(sum: v128, a: v128, w: v128): v128 {
  if (!ASC_FEATURE_RELAXED_SIMD) return sum;
  if (sums32<D>()) return i32x4.relaxed_dot_i8x16_i7x16_add_s(a, w, sum);
  return i16x8.add(sum, i16x8.relaxed_dot_i8x16_i7x16_s(a, w));
}
