/** Prints what another engine makes of the kernels, as JSON: the probe's answer and a hash of products, by kernel. */
import { dotProduct } from '../../../src/kernels/dot-product.ts';
import { Bench } from './kernels.ts';
import { productsHashes } from './products.ts';

const BYTES = 4 << 20;
const { kernels } = new Bench('relaxed-simd', BYTES);
console.log(
  JSON.stringify({
    dot: dotProduct(kernels),
    answer: kernels.probe_dot(),
    sums: kernels.dot_sums_32.value === 1 ? 32 : 16,
    ...productsHashes({
      chosen: () => new Bench('relaxed-simd', BYTES),
      sums16: () => new Bench('relaxed-simd', BYTES, 16),
      sums32: () => new Bench('relaxed-simd', BYTES, 32),
      plain: () => new Bench('simd', BYTES),
    }),
  }),
);
