/** Prints what another engine makes of the kernels, as JSON: the probe's answer, and hashes of products and of attention, by kernel. */
import { dotProduct } from '../../../src/kernels/dot-product.ts';
import { ATTENTION_BYTES, attentionHash } from './attention-hash.ts';
import { Bench } from './kernels.ts';
import { MATRICES, operands, PRODUCT_BYTES, productsHash } from './products.ts';

const matrices = MATRICES.map(([n, k]) => operands(n, k));
const relaxed = (sums?: 16 | 32) => productsHash(matrices, () => new Bench('relaxed-simd', PRODUCT_BYTES, sums));
const attention = (sums?: 16 | 32) => attentionHash(() => new Bench('relaxed-simd', ATTENTION_BYTES, sums));
const { kernels } = new Bench('relaxed-simd', PRODUCT_BYTES);
console.log(
  JSON.stringify({
    dot: dotProduct(kernels),
    answer: kernels.probe_dot(),
    sums: kernels.dot_sums_32.value === 1 ? 32 : 16,
    hashes: {
      chosen: relaxed(),
      sums16: relaxed(16),
      sums32: relaxed(32),
      plain: productsHash(matrices, () => new Bench('simd', PRODUCT_BYTES)),
    },
    attention: {
      chosen: attention(),
      sums16: attention(16),
      sums32: attention(32),
      plain: attentionHash(() => new Bench('simd', ATTENTION_BYTES)),
    },
  }),
);
