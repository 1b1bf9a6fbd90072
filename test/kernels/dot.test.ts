/** The dot products that int4 can use: which one the probe chooses, and that all give the same bits. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { dotProduct } from '../../src/kernels/dot-product.ts';
import { dequantizeInt4, matmul, roundTripQ8 } from '../../src/reference/scalar.ts';
import { Bench, relativeError } from '../support/engines/kernels.ts';
import { MATRICES, multiplier, operands, PRODUCT_BYTES, ROWS } from '../support/engines/products.ts';

const SCRIPT = new URL('../support/engines/products-script.ts', import.meta.url).pathname;

describe.each(MATRICES)('n %i, K %i', (n, k) => {
  const given = operands(n, k);
  const weights = dequantizeInt4(given.data, given.scales, n, k);
  const plain = multiplier(new Bench('simd', PRODUCT_BYTES), given);
  const relaxed = ([16, 32] as const).map((sums) => multiplier(new Bench('relaxed-simd', PRODUCT_BYTES, sums), given));

  test.each(ROWS)('%i rows: sums of 16 bits, of 32 bits and plain SIMD give the same bits', (rows) => {
    for (const limbs of [1, 2] as const) {
      const y = plain(rows, limbs);
      for (const multiply of relaxed) expect(multiply(rows, limbs)).toEqual(y);
      const x = given.x.slice(0, rows * k);
      const expected = matmul(limbs === 1 ? roundTripQ8(x) : x, weights, rows, n, k).map((sum) => sum + 1);
      expect(relativeError(y, expected)).toBeLessThan(limbs === 1 ? 2e-6 : 1e-4);
    }
  });
});

describe('the probe', () => {
  test.each([
    [129540, 'vpdpbusd'],
    [65534, 'vpmaddubsw'],
    [-508, 'sdot'],
    [0, 'plain'],
    [64770, 'other'],
  ])('%i is %s', (answer, name) => {
    expect(dotProduct({ probe_dot: () => answer })).toBe(name);
  });

  test('the plain build has no relaxed dot product', () => {
    const { kernels } = new Bench('simd', 1 << 16);
    expect([dotProduct(kernels), kernels.dot_sums_32.value]).toEqual(['plain', 0]);
  });

  test('chooses 16-bit sums where a dot product saturates, and 32-bit sums elsewhere', () => {
    const { kernels } = new Bench('relaxed-simd', 1 << 16);
    expect(kernels.dot_sums_32.value).toBe(dotProduct(kernels) === 'vpmaddubsw' ? 0 : 1);
  });

  test.runIf(process.arch === 'x64')('without AVX-VNNI: 16-bit sums, and the same bits in every kernel', async () => {
    const run = async (...flags: string[]) =>
      JSON.parse((await promisify(execFile)(process.execPath, [...flags, SCRIPT])).stdout);
    const [here, without] = await Promise.all([run(), run('--no-enable-avx-vnni')]);
    expect(without).toMatchObject({ dot: 'vpmaddubsw', answer: 65534, sums: 16 });
    expect(new Set([here, without].flatMap(({ hashes }) => Object.values(hashes))).size).toBe(1);
    expect(new Set([here, without].flatMap(({ attention }) => Object.values(attention))).size).toBe(1);
  });
});
