import type { Kernels } from './kernels.ts';

/**
 * What the int4 products of these kernels are made of on this host.
 *
 * - `vpdpbusd`: x64 with AVX-VNNI, four products and their sum in one instruction.
 * - `vpmaddubsw`: x64 without it. Sums of 16 bits are faster there.
 * - `sdot`: ARM. The instruction of that name, or a sequence with the same answer.
 * - `other`: an engine that answers the probe in another way. The result is the same, the speed is not known.
 * - `plain`: the build without relaxed SIMD.
 */
export type DotProduct = 'vpdpbusd' | 'vpmaddubsw' | 'sdot' | 'other' | 'plain';

/** Answers of `probe_dot` (`wasm/dot.ts`). */
const ANSWERS: ReadonlyMap<number, DotProduct> = new Map([
  [129540, 'vpdpbusd'],
  [65534, 'vpmaddubsw'],
  [-508, 'sdot'],
  [0, 'plain'],
]);

export function dotProduct(kernels: Pick<Kernels, 'probe_dot'>): DotProduct {
  return ANSWERS.get(kernels.probe_dot()) ?? 'other';
}
