import { describe, expect, it } from 'vitest';
import { type CostCurve, costOf } from '../../src/model/cost-curve.ts';
import { KERNEL_TIMING, measureCosts } from '../../src/model/measure-costs.ts';
import { Acceptance } from '../../src/sampler/drafts/acceptance.ts';
import { adaptive, bestWindow, blocks, gain, sliding } from '../../src/sampler/width.ts';

const curve = (...points: [number, number][]): CostCurve => ({
  source: 'measured',
  positions: points.map(([at]) => at),
  costs: points.map(([, cost]) => cost),
});

/** Every position costs as much as the first. */
const compute = curve([1, 1], [16, 16]);
/** A forward costs the same however wide. */
const free = curve([1, 1], [64, 1]);

describe('cost curve', () => {
  it('is linear between its points and proportional past the last', () => {
    const some = curve([1, 1], [2, 1.5], [4, 2.5]);
    expect([1, 2, 3, 4, 8].map((at) => costOf(some, at))).toEqual([1, 1.5, 2, 2.5, 5]);
  });

  it('is measured where the clock moves, and stored where it stands still', async () => {
    const busy = (positions: number) => {
      const end = performance.now() + positions / 4;
      while (performance.now() < end);
    };
    const measured = await measureCosts(busy, 64, KERNEL_TIMING);
    expect(measured.source).toBe('measured');
    expect(measured.costs[0]).toBe(1);
    expect(costOf(measured, 16)).toBeGreaterThan(8);
    const now = performance.now.bind(performance);
    performance.now = () => 5;
    try {
      expect(await measureCosts(() => undefined, 64, { ...KERNEL_TIMING, stored: free })).toBe(free);
    } finally {
      performance.now = now;
    }
  });
});

describe('gain', () => {
  it('is 1 for a window of one, whatever the host', () => {
    for (const costs of [compute, free]) for (const rate of [0, 0.5, 1]) expect(gain(costs, rate, 1)).toBe(1);
  });

  it('by hand: two positions', () => {
    // One draft. Checking runs 3 positions, drafting 2. At rate 1/2 a cycle gives 1 + 1/2 + 1/2 tokens for 3 + 2/2.
    expect(gain(compute, 0.5, 2)).toBeCloseTo(2 / 4);
    // Forwards that cost nothing more: 2 tokens for 1 + 1/2 forwards.
    expect(gain(free, 0.5, 2)).toBeCloseTo(2 / 1.5);
    // Every draft holds: always two tokens a forward.
    expect(gain(free, 1, 2)).toBe(2);
  });
});

describe('width', () => {
  it('stays 1 where positions cost what they give, and widens with the rate where they are free', () => {
    for (const rate of [0.1, 0.5, 0.9, 0.99]) expect(bestWindow(compute, rate, 16)).toBe(1);
    expect(bestWindow(free, 0.9, 16)).toBeGreaterThan(bestWindow(curve([1, 1], [64, 4]), 0.5, 16));
    expect(bestWindow(free, 1, 16)).toBe(16);
  });

  it('never chooses what costs more per token than block length 1', () => {
    for (const slope of [0, 0.05, 0.2, 0.5, 1]) {
      const costs = curve([1, 1], [65, 1 + 64 * slope]);
      for (const rate of [0, 0.3, 0.6, 0.9]) {
        expect(gain(costs, rate, bestWindow(costs, rate, 16))).toBeGreaterThanOrEqual(1);
      }
    }
  });

  it('learns from what held', () => {
    const costs = curve([1, 1], [65, 5]);
    const width = adaptive(costs, new Acceptance(0.5), 16);
    const before = width.end(0, 1);
    for (let i = 0; i < 50; i++) width.observe(7, 7);
    expect(width.end(0, 1)).toBeGreaterThan(before);
    for (let i = 0; i < 300; i++) width.observe(0, 1);
    expect(width.end(100, 1)).toBe(101);
  });

  it('looks again now and then, only where drafts could pay', () => {
    const ends = (costs: CostCurve) => {
      const width = adaptive(costs, new Acceptance(0.01), 16);
      return Array.from({ length: 256 }, () => width.end(0, 1));
    };
    expect(new Set(ends(compute))).toEqual(new Set([1]));
    expect(ends(curve([1, 1], [65, 5])).filter((end) => end > 1).length).toBe(4);
  });

  it('blocks end on the grid, windows wherever they begin', () => {
    expect([0, 1, 7, 8, 9].map((from) => blocks(8).end(from, 1))).toEqual([8, 8, 8, 16, 16]);
    expect([0, 1, 7].map((from) => sliding(8).end(from, 1))).toEqual([8, 9, 15]);
  });
});
