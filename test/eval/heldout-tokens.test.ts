import { expect, test } from 'vitest';
import { evenStarts, heldoutSequences, shareOf } from '../../eval/heldout/heldout-tokens.ts';

test('the first packages give one more', () => {
  expect([0, 1, 2, 3].map((index) => shareOf(10, index, 4))).toEqual([3, 3, 2, 2]);
});

test('starts are those of numpy.linspace(0, N - length, share + 2)[1:-1].astype(int)', () => {
  // Computed with numpy 2: np.linspace(0, 1000 - 256, 5)[1:-1].astype(int), and the first 3 of 16 in 223132.
  expect(evenStarts(1000, 256, 3)).toEqual([186, 372, 558]);
  expect(evenStarts(223132, 256, 16).slice(0, 3)).toEqual([13110, 26220, 39331]);
});

test('sequences are whole windows of every package', () => {
  const packages = ['a', 'b'].map((name, p) => ({
    name,
    tokens: Uint16Array.from({ length: 100 }, (_, i) => p * 100 + i),
  }));
  const sequences = heldoutSequences(packages, 3, 10);
  expect(sequences.map((ids) => [ids[0], ids.length])).toEqual([
    [30, 10],
    [60, 10],
    [145, 10],
  ]);
});
