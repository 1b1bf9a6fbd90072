/// <reference lib="esnext.float16" />
/** GGUF's K-quants to float32: blocks of 256 weights, whose parts have scales of 6 or 8 bits (ggml-quants.c). */

export const K_BLOCK = 256;

/** Weights of a part of Q4_K and Q5_K. */
const PART = 32;
const SCALE_BYTES = 12;

/**
 * Scales and minima of the 8 parts, 6 bits each: bytes 0 to 3 hold the scales of parts 0 to 3, bytes 4 to 7 their minima,
 * and bytes 8 to 11 the low four bits of parts 4 to 7, whose high two bits are the high ones of the bytes before.
 */
function scaleAndMinimum(view: DataView, at: number, part: number): readonly [number, number] {
  if (part < 4) return [view.getUint8(at + part) & 63, view.getUint8(at + 4 + part) & 63];
  const low = view.getUint8(at + 4 + part);
  const scale = (low & 15) | ((view.getUint8(at + part - 4) >> 6) << 4);
  return [scale, (low >> 4) | ((view.getUint8(at + part) >> 6) << 4)];
}

/** fp16 d, fp16 m, 12 bytes of scales, 4 x 32 bytes: low nibbles are one part, high nibbles the next; d * s * q - m * n. */
export function q4k(view: DataView, at: number, out: Float32Array, to: number): void {
  const codes = at + 4 + SCALE_BYTES;
  parts(view, at, out, to, (part, i) => {
    return (view.getUint8(codes + (part >> 1) * PART + i) >> ((part & 1) * 4)) & 15;
  });
}

/** As Q4_K, with 32 bytes before the nibbles: bit p of byte i is the fifth bit of weight i of part p. */
export function q5k(view: DataView, at: number, out: Float32Array, to: number): void {
  const high = at + 4 + SCALE_BYTES;
  const codes = high + PART;
  parts(view, at, out, to, (part, i) => {
    const low = (view.getUint8(codes + (part >> 1) * PART + i) >> ((part & 1) * 4)) & 15;
    return low | (((view.getUint8(high + i) >> part) & 1) << 4);
  });
}

function parts(
  view: DataView,
  at: number,
  out: Float32Array,
  to: number,
  code: (part: number, i: number) => number,
): void {
  const d = view.getFloat16(at, true);
  const m = view.getFloat16(at + 2, true);
  for (let part = 0; part < K_BLOCK / PART; part++) {
    const [scale, minimum] = scaleAndMinimum(view, at + 4, part);
    for (let i = 0; i < PART; i++) out[to + part * PART + i] = d * scale * code(part, i) - m * minimum;
  }
}

/**
 * 128 bytes with the low four bits, 64 bytes with the high two, 16 int8 scales of 16 weights each, fp16 d;
 * d * s * (q - 32). Each half of the block is four runs of 32 weights over the same bytes.
 */
export function q6k(view: DataView, at: number, out: Float32Array, to: number): void {
  const d = view.getFloat16(at + 208, true);
  for (let w = 0; w < K_BLOCK; w++) {
    const half = w >> 7;
    const run = (w >> 5) & 3;
    const i = w & 31;
    const low = (view.getUint8(at + half * 64 + (run & 1) * 32 + i) >> ((run >> 1) * 4)) & 15;
    const high = (view.getUint8(at + 128 + half * 32 + i) >> (run * 2)) & 3;
    out[to + w] = d * view.getInt8(at + 192 + (w >> 4)) * ((low | (high << 4)) - 32);
  }
}
