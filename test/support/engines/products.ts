/** int4 products on the shapes of the default model and on tails, to be compared bit for bit. */
import { createHash } from 'node:crypto';
import { type Bench, randomBytes, randomFloats, randomHalves } from './kernels.ts';

/** [n, K]: layers of the default model, a slice of its head, and the remainders of n % 8. */
export const MATRICES = [
  [576, 576],
  [192, 576],
  [1536, 576],
  [576, 1536],
  [13, 96],
  [7, 32],
] as const;
/** Every tile height alone and after others, and both sides of the row count from which panels are unpacked. */
export const ROWS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 64] as const;
const MOST_ROWS = Math.max(...ROWS);
/** Bytes of an arena that holds any of them. */
export const PRODUCT_BYTES = 4 << 20;

export interface Operands {
  readonly n: number;
  readonly k: number;
  readonly x: Float32Array; // (64, K)
  readonly data: Uint8Array; // (n, K/2) nibbles
  readonly scales: Uint16Array; // (n, K/32) fp16
}

export function operands(n: number, k: number): Operands {
  const x = randomFloats(MOST_ROWS * k, n, 3);
  x.fill(0, 0, 32); // a group of zeros
  return { n, k, x, data: randomBytes((n * k) / 2, n), scales: randomHalves((n * k) / 32, k) };
}

/** @returns y (rows, n) = 1 + x W^T of the first rows: on top of ones, as a layer adds to the residual stream */
export function multiplier(bench: Bench, { n, k, x, data, scales }: Operands) {
  const { kernels, arena } = bench;
  const [w, wscale, input] = [bench.put(data), bench.put(scales), bench.put(x)];
  kernels.repack_q4(w, wscale, n, k, arena.take(8 * k));
  const q = arena.take((MOST_ROWS * 2 * k * 72) / 32);
  const y = arena.take(MOST_ROWS * n * 4);
  const panel = arena.take(13 * k);
  return (rows: number, limbs: 1 | 2): Float32Array => {
    kernels.quantize(q, input, rows, k, limbs, 0, 0, rows);
    arena.f32(y, rows * n).fill(1);
    kernels.gemm_q8_q4(y, n, 1, q, w, wscale, rows, n, k, limbs, panel);
    return bench.f32(y, rows * n);
  };
}

/** A sha256 over the bits of all products. */
export function productsHash(matrices: readonly Operands[], open: () => Bench): string {
  const hash = createHash('sha256');
  for (const matrix of matrices) {
    const multiply = multiplier(open(), matrix);
    for (const rows of ROWS) {
      for (const limbs of [1, 2] as const) hash.update(new Uint8Array(multiply(rows, limbs).buffer));
    }
  }
  return hash.digest('hex');
}
