/** The dot products that int4 can use: which one the probe chooses, and that all give the same bits. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { dotProduct } from '../../src/kernels/dot-product.ts';
import { dequantizeInt4, matmul, roundTripQ8 } from '../../src/reference/scalar.ts';
import { Bench, relativeError } from '../support/engines/kernels.ts';
import { MATRICES, multiplied, products, ROWS } from '../support/engines/products.ts';

const BYTES = 4 << 20;
const SCRIPT = new URL('../support/engines/products-script.ts', import.meta.url).pathname;

describe.each(MATRICES)('n %i, K %i', (n, k) => {
  const all = products(n, k);
  test.each(ROWS)('%i rows: sums of 16 bits, of 32 bits and plain SIMD give the same bits', (rows) => {
    const given = all[ROWS.indexOf(rows)]!;
    for (const limbs of [1, 2] as const) {
      const plain = multiplied(new Bench('simd', BYTES), given, n, k, limbs);
      for (const sums of [16, 32] as const) {
        expect(multiplied(new Bench('relaxed-simd', BYTES, sums), given, n, k, limbs)).toEqual(plain);
      }
      const x = limbs === 1 ? roundTripQ8(given.x) : given.x;
      const expected = matmul(x, dequantizeInt4(given.data, given.scales, n, k), rows, n, k).map((y) => y + 1);
      expect(relativeError(plain, expected)).toBeLessThan(limbs === 1 ? 2e-6 : 1e-4);
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
    expect(without).toMatchObject({ dot: 'vpmaddubsw', answer: 65534, sums: 16, chosen: without.sums16 });
    expect(new Set(['sums16', 'sums32', 'plain'].flatMap((kernel) => [here[kernel], without[kernel]])).size).toBe(1);
  });
});
