import { describe, expect, it } from 'vitest';
import { uniform } from '../../src/sampler/random.ts';

describe('uniform', () => {
  it('gives these values on every host', () => {
    expect([uniform(0, 0), uniform(0, 1), uniform(1, 0), uniform(2 ** 40, 3), uniform(-5, 3, 1)]).toEqual([
      0.4730941653251648, 0.07883554697036743, 0.36284738779067993, 0.14944905042648315, 0.3731938600540161,
    ]);
  });

  it('is uniform over offsets, over seeds and over streams', () => {
    const draws = 20_000;
    for (const draw of [
      (i: number) => uniform(42, i),
      (i: number) => uniform(i, 42),
      (i: number) => uniform(i * 2 ** 33, 0),
      (i: number) => uniform(42, 0, i),
    ]) {
      const bins = new Array<number>(50).fill(0);
      for (let i = 0; i < draws; i++) bins[Math.floor(draw(i) * 50)]! += 1;
      const chiSquare = bins.reduce((sum, count) => sum + (count - draws / 50) ** 2 / (draws / 50), 0);
      // 49 degrees of freedom: outside this less than once in 10,000.
      expect(chiSquare).toBeLessThan(95);
      expect(chiSquare).toBeGreaterThan(18);
    }
  });

  it('does not correlate neighbours', () => {
    const draws = 20_000;
    for (const [dSeed, dOffset, dStream] of [
      [0, 1, 0],
      [1, 0, 0],
      [0, 0, 1],
    ] as const) {
      let sum = 0;
      for (let i = 0; i < draws; i++) sum += (uniform(9, i) - 0.5) * (uniform(9 + dSeed, i + dOffset, dStream) - 0.5);
      // Standard deviation of the correlation: 1 / sqrt(draws) = 0.007.
      expect(Math.abs((12 * sum) / draws)).toBeLessThan(0.03);
    }
  });

  it('stays below 1 in single precision', () => {
    const drawn = Array.from({ length: 20_000 }, (_, i) => uniform(3, i));
    expect(drawn.every((value) => value === Math.fround(value))).toBe(true);
    expect(Math.max(...drawn)).toBeLessThan(1);
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0);
  });
});
