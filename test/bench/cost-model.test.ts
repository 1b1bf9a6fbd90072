import { expect, test } from 'vitest';
import { bestWidth, expectedTokens, rooflineMs } from '../../bench/roofline/cost-model.ts';

test('a forward is bound by bandwidth while it is narrow, by arithmetic when it is wide', () => {
  const work = { bytes: 72e6, macs: 135e6 };
  const host = { bandwidth: 12, rate: 45 };
  expect(rooflineMs(work, host, 1)).toBeCloseTo(6); // 72 MB at 12 GB/s; one position multiplies for 3 ms
  expect(rooflineMs(work, host, 2)).toBeCloseTo(6);
  expect(rooflineMs(work, host, 8)).toBeCloseTo(24);
});

test('expected tokens count the certain first one and the drafts that hold', () => {
  expect(expectedTokens(0, 8)).toBe(1);
  expect(expectedTokens(1, 8)).toBe(8);
  expect(expectedTokens(0.5, 3)).toBe(1.75);
});

test('the best width is one position where positions cost their full price, and the widest where they are free', () => {
  const widths = [1, 2, 4, 8];
  const linear = new Map(widths.map((width) => [width, width]));
  const free = new Map(widths.map((width) => [width, 1]));
  expect(bestWidth(linear, 0.9)).toEqual({ positions: 1, speedup: 1 });
  expect(bestWidth(free, 0.5)).toEqual({ positions: 8, speedup: expectedTokens(0.5, 8) });
  expect(bestWidth(new Map([...free, [8, 2]]), 0.5).positions).toBe(4);
});
