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
export const ROWS = [1, 2, 3, 4, 5, 6, 7, 8, 15, 16, 17, 64] as const;

export interface Product {
  readonly x: Float32Array; // (rows, K)
  readonly data: Uint8Array; // (n, K/2) nibbles
  readonly scales: Uint16Array; // (n, K/32) fp16
}

/** Products of one matrix with the first rows of the same activations. */
export function products(n: number, k: number): Product[] {
  const x = randomFloats(Math.max(...ROWS) * k, n, 3);
  x.fill(0, 0, 32); // a group of zeros
  const weights = { data: randomBytes((n * k) / 2, n), scales: randomHalves((n * k) / 32, k) };
  return ROWS.map((rows) => ({ x: x.slice(0, rows * k), ...weights }));
}

/** y (rows, n) = 1 + x W^T: on top of ones, as a layer adds to the residual stream. */
export function multiplied(bench: Bench, { x, data, scales }: Product, n: number, k: number, limbs: 1 | 2) {
  const rows = x.length / k;
  const { kernels, arena } = bench;
  const [w, wscale] = [bench.put(data), bench.put(scales)];
  kernels.repack_q4(w, wscale, n, k, arena.take(8 * k));
  const q = arena.take((rows * limbs * k * 72) / 32);
  kernels.quantize(q, bench.put(x), rows, k, limbs, 0);
  const y = arena.take(rows * n * 4);
  arena.f32(y, rows * n).fill(1);
  kernels.gemm_q8_q4(y, n, 1, q, w, wscale, rows, n, k, limbs, arena.take(13 * k));
  return bench.f32(y, rows * n);
}

/** A sha256 for each kernel over the bits of all products. */
export function productsHashes<Name extends string>(kernels: Record<Name, () => Bench>): Record<Name, string> {
  const hashes = Object.entries<() => Bench>(kernels).map(([name, open]) => ({
    name,
    open,
    hash: createHash('sha256'),
  }));
  for (const [n, k] of MATRICES) {
    for (const given of products(n, k)) {
      for (const limbs of [1, 2] as const) {
        for (const { open, hash } of hashes) hash.update(new Uint8Array(multiplied(open(), given, n, k, limbs).buffer));
      }
    }
  }
  return Object.fromEntries(hashes.map(({ name, hash }) => [name, hash.digest('hex')])) as Record<Name, string>;
}
