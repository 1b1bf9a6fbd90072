import { expect, test } from 'vitest';
import { editSimilarity, Mean, sharedPrefix } from '../../eval/score.ts';

test.each([
  ['', '', 1],
  ['abc', 'abc', 1],
  ['abcd', 'abxd', 0.75],
  ['ab', 'abcd', 0.5],
  ['', 'abcd', 0],
])('edit similarity of %j and %j is %d', (a, b, similarity) => {
  expect(editSimilarity(a, b)).toBe(similarity);
});

test.each([
  ['abcd', 'abxx', 0.5],
  ['abcd', 'abcdef', 1],
  ['abcd', '', 0],
  ['', '', 1],
  ['', 'a', 0],
])('of %j, %j shares %d from the start', (wanted, text, share) => {
  expect(sharedPrefix(wanted, text)).toBe(share);
});

test('a mean counts truths as ones, and of nothing is null', () => {
  const mean = new Mean();
  expect(mean.rounded).toBeNull();
  for (const value of [true, false, false]) mean.add(value);
  expect(mean.rounded).toBe(0.3333);
});
