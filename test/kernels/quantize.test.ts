/** Records of `quantize`, taken apart: values, scales and corrections against the oracle. */
import { describe, expect, test } from 'vitest';
import { quantizeQ8 } from '../../src/reference/scalar.ts';
import { Bench, flavours, randomFloats, relativeError } from '../support/engines/kernels.ts';

/** Order of a words record's 16-bit values: even k of a half, then odd k. */
const WORD_ORDER = [0, 16].flatMap((half) =>
  [0, 1].flatMap((odd) => Array.from({ length: 8 }, (_, i) => half + 2 * i + odd)),
);

/** A record's values in the order of k, its scale and the parts of its correction: two only for bytes and 16-bit sums. */
function record(bench: Bench, address: number, words: boolean, sums: 16 | 32) {
  const view = new DataView(bench.arena.memory.buffer, address);
  const values = new Int8Array(32);
  for (let i = 0; i < 32; i++) {
    if (words) values[WORD_ORDER[i] ?? 0] = view.getInt16(2 * i, true);
    else values[i] = view.getInt8(i);
  }
  const end = words ? 64 : 32;
  return {
    values,
    scale: view.getFloat32(end, true) / 2 ** 112,
    correction:
      words || sums === 32
        ? [view.getInt32(end + 4, true)]
        : [view.getInt16(end + 4, true), view.getInt16(end + 6, true)],
  };
}

describe.each(flavours.flatMap((flavour) => ([16, 32] as const).map((sums) => [flavour, sums] as const)))(
  '%s, sums of %i bits',
  (flavour, sums) => {
    test.each([
      [1, 64, 0, [1]],
      [3, 96, 1, [3]],
      [4, 32, 0, [4]],
      [5, 64, 0, [3, 2]],
      [7, 576, 0, [4, 3]],
      [9, 64, 1, [4, 3, 2]],
      [10, 32, 0, [4, 4, 2]],
      [17, 32, 0, [4, 4, 4, 4, 1]],
    ])('%i rows of %i, words %i', (rows, k, asked, tiles) => {
      const bench = new Bench(flavour, undefined, sums);
      const words = asked === 1 || flavour === 'simd';
      const bytes = words ? 72 : 40;
      const groups = k / 32;
      const x = randomFloats(rows * k, 1, 3);
      x.fill(0, 0, 32); // a group of zeros
      const q = bench.arena.take(rows * groups * bytes);
      bench.kernels.quantize(q, bench.put(x), rows, k, 1, asked, 0, rows);
      const expected = quantizeQ8(x);
      // Rows of a tile stand side by side in each group.
      const places = tiles.flatMap((inTile, i) => {
        const before = tiles.slice(0, i).reduce((sum, count) => sum + count, 0);
        return Array.from({ length: inTile }, (_, row) => ({ before, inTile, row }));
      });
      for (const [r, { before, inTile, row }] of places.entries()) {
        for (let g = 0; g < groups; g++) {
          const at = q + (before * groups + g * inTile + row) * bytes;
          const { values, scale, correction } = record(bench, at, words, sums);
          const group = expected.q.slice((r * groups + g) * 32, (r * groups + g + 1) * 32);
          expect(values).toEqual(group);
          expect(relativeError([scale], [expected.scale[r * groups + g] ?? 0])).toBeLessThan(1e-6);
          const sum = (of: (i: number) => boolean) => group.reduce((total, v, i) => (of(i) ? total - 8 * v : total), 0);
          const halves = [sum((i) => i % 4 < 2), sum((i) => i % 4 > 1)];
          expect(correction).toEqual(words || sums === 32 ? [sum(() => true)] : halves);
        }
      }
    });

    test.each([0, 1])('a scale saturates below 2^16, words %i', (asked) => {
      const bench = new Bench(flavour, undefined, sums);
      const x = Float32Array.from({ length: 64 }, (_, i) => (i < 32 ? 127 * 65535 : 1e30) * (i % 2 ? -1 : 1));
      const q = bench.arena.take(2 * 72);
      bench.kernels.quantize(q, bench.put(x), 1, 64, 1, asked, 0, 1);
      const words = asked === 1 || flavour === 'simd';
      const [large, beyond] = [0, words ? 72 : 40].map((at) => record(bench, q + at, words, sums));
      expect([large!.scale, beyond!.scale]).toEqual([65535, 65535.99609375]);
      expect([large!.values[0], beyond!.values[1]]).toEqual([127, -127]);
    });
  },
);
