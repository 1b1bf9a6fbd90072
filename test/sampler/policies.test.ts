import { describe, expect, it } from 'vitest';
import { DEFAULTS } from '../../src/engine/defaults.ts';
import type { Predictions } from '../../src/model/model.ts';
import {
  createPolicy,
  type PolicySettings,
  policyNames,
  policyParameters,
  policySummary,
  readersOf,
  resolvePolicy,
} from '../../src/sampler/policies/index.ts';
import { randomFloats } from '../support/engines/kernels.ts';

/** Of one block: what stands open, and what the model says of it. */
interface Case {
  readonly probs?: readonly number[];
  readonly entropies?: readonly number[];
  /** Where in the block the rows are. Default 0, 1, 2, ... */
  readonly positions?: readonly number[];
  readonly step?: number;
  readonly masked?: number;
  readonly offset?: number;
  readonly decided: readonly number[];
}

function decide(settings: PolicySettings, example: Omit<Case, 'decided'>, seed = 0): number[] {
  const length = (example.probs ?? example.entropies ?? []).length;
  const predictions: Predictions = {
    ids: new Int32Array(length),
    probs: Float32Array.from(example.probs ?? new Float32Array(length)),
    entropies: Float32Array.from(example.entropies ?? new Float32Array(length)),
  };
  const positions = Int32Array.from(example.positions ?? predictions.probs.keys());
  const { step = 0, masked = length, offset = 0 } = example;
  return [...createPolicy(settings, seed)(predictions, positions, { step, initiallyMasked: masked, offset })];
}

describe('confidence', () => {
  it.each([
    { threshold: 0.9, probs: [0.95, 0.2, 0.91, 0.5], decided: [0, 2] },
    { threshold: 0.9, probs: [0.1, 0.6, 0.6, 0.3], decided: [1] },
    { threshold: 0.9, probs: [0.3], decided: [0] },
    { threshold: 0.5, probs: [0.5, 0.25], decided: [0] },
    { threshold: 0.5, probs: [0.25, 0.5, 0.5], decided: [1] },
    { threshold: 0, probs: [0.25, 0.5, 0.125], decided: [0, 1, 2] },
    { threshold: 1, probs: [0.25, 1, 1], decided: [1] },
    { threshold: 0.9, probs: [0, 0, 0], decided: [0] },
  ])('threshold $threshold over $probs decides $decided', ({ threshold, decided, ...example }) => {
    expect(decide({ policy: 'confidence', threshold }, example)).toEqual(decided);
  });

  it('takes the threshold itself where that is enough', () => {
    const example = { probs: [0.5, 0.25, 0.75] };
    expect(decide({ policy: 'confidence', threshold: 0.5, inclusive: true }, example)).toEqual([0, 2]);
  });
});

describe('factor', () => {
  // (n + 1)(1 - c_n) for n = 1, 2, ... over the sorted probabilities, against f.
  it.each([
    // 2 * 0.0625 = 0.125, 3 * 0.125 = 0.375, 4 * 0.25 = 1: two are below 0.75.
    { factor: 0.75, probs: [0.75, 0.9375, 0.5, 0.875], decided: [1, 3] },
    // 2 * 0.0625 = 0.125, 3 * 0.125 = 0.375, 4 * 0.25 = 1, 5 * 0.5 = 2.5: 1 is not below 1.
    { factor: 1, probs: [0.75, 0.9375, 0.5, 0.875], decided: [1, 3] },
    { factor: 1.25, probs: [0.75, 0.9375, 0.5, 0.875], decided: [0, 1, 3] },
    { factor: 3, probs: [0.75, 0.9375, 0.5, 0.875], decided: [0, 1, 2, 3] },
    // 2 * 0.5 = 1: none, so the most probable one.
    { factor: 0.75, probs: [0.25, 0.5, 0.5], decided: [1] },
    // 1 - c = 0 for both of the sure ones: 0 is below any f; 4 * 0.5 is not.
    { factor: 0.001, probs: [1, 0.5, 1], decided: [0, 2] },
    // Equals, leftmost first: 2 * 0.25 = 0.5 passes, 3 * 0.25 = 0.75 does not.
    { factor: 0.75, probs: [0.75, 0.75, 0.75], decided: [0] },
  ])('factor $factor over $probs decides $decided', ({ factor, decided, ...example }) => {
    expect(decide({ policy: 'factor', factor }, example)).toEqual(decided);
  });
});

describe('frechet', () => {
  // Sorted: L_n = max(0, sum of c - (n - 1)), U_n = 1 - c_n; the largest n with L_n - U_n above delta.
  it.each([
    // n = 1: 0.9375 - 0.0625 = 0.875. n = 2: L = 0.8125, U = 0.125, 0.6875. n = 3: L = 0.5625, U = 0.25, 0.3125.
    // n = 4: L = 0.0625, U = 0.5, below.
    { delta: 0.25, probs: [0.75, 0.9375, 0.5, 0.875], decided: [0, 1, 3] },
    { delta: 0.3125, probs: [0.75, 0.9375, 0.5, 0.875], decided: [1, 3] },
    { delta: 0.6875, probs: [0.75, 0.9375, 0.5, 0.875], decided: [1] },
    // n = 1: 0.5 - 0.5 = 0 is not above 0: the most probable one, leftmost.
    { delta: 0, probs: [0.25, 0.5, 0.5], decided: [1] },
    // n = 1: 0.5. n = 2: L = 0.5, U = 0.25, 0.25. n = 3: L = 0.25, U = 0.25, 0.
    { delta: 0.125, probs: [0.75, 0.75, 0.75], decided: [0, 1] },
    // All sure: L = 1 and U = 0 throughout.
    { delta: 0.99, probs: [1, 1, 1], decided: [0, 1, 2] },
    // n = 1: 0.75 - 0.25 = 0.5. n = 2: L = 0.375, U = 0.375, no margin. (n = 4: L = max(0, 2.5 - 3) = 0, U = 0.5.)
    { delta: 0, probs: [0.75, 0.625, 0.625, 0.5], decided: [0] },
  ])('delta $delta over $probs decides $decided', ({ delta, decided, ...example }) => {
    expect(decide({ policy: 'frechet', delta }, example)).toEqual(decided);
  });

  it('decides more than factor where few are unsure: it sees each of them, not n times the last', () => {
    // factor 1: 2 * 0.03125, 3 * 0.03125, 4 * 0.03125, 5 * 0.25 = 1.25 stops at 3.
    // frechet 0: L_4 = 3.65625 - 3 = 0.65625, U_4 = 0.25: all four.
    const probs = [0.96875, 0.96875, 0.96875, 0.75];
    expect(decide({ policy: 'factor', factor: 1 }, { probs })).toEqual([0, 1, 2]);
    expect(decide({ policy: 'frechet', delta: 0 }, { probs })).toEqual([0, 1, 2, 3]);
  });
});

describe('entropy_bound', () => {
  // Sorted ascending, the largest k whose first k - 1 entropies sum to at most gamma.
  it.each([
    // 0, then 0.0625, then 0.1875, then 0.4375.
    { gamma: 0.1, entropies: [0.25, 0.0625, 2, 0.125], decided: [1, 3] },
    { gamma: 0.1875, entropies: [0.25, 0.0625, 2, 0.125], decided: [0, 1, 3] },
    { gamma: 0.4375, entropies: [0.25, 0.0625, 2, 0.125], decided: [0, 1, 2, 3] },
    { gamma: 0, entropies: [0.25, 0.0625, 2, 0.125], decided: [1] },
    // Certain positions cost nothing, and the one after them is the largest that is left out of the sum.
    { gamma: 0, entropies: [0, 1, 0, 3], decided: [0, 1, 2] },
    { gamma: 0.5, entropies: [1, 1, 1], decided: [0] },
    { gamma: 5, entropies: [7], decided: [0] },
  ])('gamma $gamma over $entropies decides $decided', ({ gamma, decided, ...example }) => {
    expect(decide({ policy: 'entropy_bound', gamma }, example)).toEqual(decided);
  });
});

describe('fixed', () => {
  it.each([
    // 7 masked over 3 steps: 3 + 2 + 2.
    { steps: 3, step: 0, masked: 7, probs: [0.1, 0.9, 0.3, 0.8, 0.2, 0.7, 0.4], decided: [1, 3, 5] },
    { steps: 3, step: 1, masked: 7, probs: [0.1, 0.3, 0.2, 0.4], decided: [1, 3] },
    { steps: 3, step: 2, masked: 7, probs: [0.1, 0.2], decided: [0, 1] },
    { steps: 2, step: 0, masked: 4, probs: [0.5, 0.5, 0.5, 0.5], decided: [0, 1] },
    { steps: 1, step: 0, masked: 3, probs: [0.1, 0.2, 0.3], decided: [0, 1, 2] },
    { steps: 9, step: 0, masked: 2, probs: [0.1, 0.2], decided: [1] },
    { steps: 9, step: 1, masked: 2, probs: [0.1], decided: [0] },
    { steps: 2, step: 0, masked: 11, probs: [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 10], decided: [0, 1, 2, 3, 4, 10] },
    // Two were masked again after step 1 of 3: 4 stand open where 2 should, so 4 are decided to catch up.
    { steps: 3, step: 2, masked: 7, probs: [0.1, 0.2, 0.3, 0.4], decided: [0, 1, 2, 3] },
  ])('linear, step $step of $steps, $masked masked: $probs decides $decided', ({ steps, decided, ...example }) => {
    expect(decide({ policy: 'fixed', steps, schedule: 'linear' }, example)).toEqual(decided);
  });

  it.each([
    // 8 masked over 4 steps: 8 cos(pi/8) = 7.39, 8 cos(pi/4) = 5.66, 8 cos(3 pi/8) = 3.06, 0 stay: 1 + 2 + 2 + 3.
    { steps: 4, step: 0, masked: 8, probs: [0.1, 0.2, 0.3, 0.9, 0.5, 0.6, 0.7, 0.8], decided: [3] },
    { steps: 4, step: 1, masked: 8, probs: [0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.8], decided: [5, 6] },
    { steps: 4, step: 2, masked: 8, probs: [0.1, 0.2, 0.3, 0.5, 0.6], decided: [3, 4] },
    { steps: 4, step: 3, masked: 8, probs: [0.1, 0.2, 0.3], decided: [0, 1, 2] },
    // 4 cos(pi/3) = 2 exactly, after 2 of 3 steps; 4 cos(pi/6) = 3.46 after 1.
    { steps: 3, step: 0, masked: 4, probs: [0.1, 0.2, 0.3, 0.4], decided: [3] },
    { steps: 3, step: 1, masked: 4, probs: [0.1, 0.2, 0.3], decided: [2] },
    { steps: 3, step: 2, masked: 4, probs: [0.1, 0.2], decided: [0, 1] },
    // 3 cos(pi/128) = 2.999 would keep 2: more steps than positions are one at a time all the same.
    { steps: 64, step: 0, masked: 3, probs: [0.1, 0.3, 0.2], decided: [1] },
    { steps: 64, step: 1, masked: 3, probs: [0.1, 0.2], decided: [1] },
  ])('cosine, step $step of $steps, $masked masked: $probs decides $decided', ({ steps, decided, ...example }) => {
    expect(decide({ policy: 'fixed', steps, schedule: 'cosine' }, example)).toEqual(decided);
  });
});

describe('fixed, the rounded share of what is left', () => {
  const masks = (length: number) => Array.from({ length }, (_, i) => (length - i) / 100);

  it.each([
    // 7/3 = 2.33, 5/2 = 2.5 to even, then the rest.
    { schedule: 'round', steps: 3, masked: 7, counts: [2, 2, 3] },
    { schedule: 'round', steps: 8, masked: 3, counts: [1, 1, 1] },
    // Times 1, 0.75025, 0.5005, 0.25075: 8 * 0.24975 = 1.998, 7 * 0.3329 = 2.33, 5 * 0.499 = 2.495, the rest.
    { schedule: 'floor', steps: 4, masked: 8, counts: [1, 2, 2, 3] },
    // As many steps as masks: 4 * 0.24975 rounds to none, which is no step here; the last one makes up for it.
    { schedule: 'floor', steps: 4, masked: 4, counts: [1, 1, 2] },
  ] as const)('$schedule, $masked masks in $steps steps: $counts', ({ schedule, steps, masked, counts }) => {
    let left: number = masked;
    for (const [step, count] of counts.entries()) {
      const rows = decide({ policy: 'fixed', steps, schedule }, { probs: masks(left), step, masked });
      expect(rows.length).toBe(count);
      left -= count;
    }
    expect(left).toBe(0);
  });

  it('decides the lowest entropy first where that is asked for', () => {
    const settings = { policy: 'fixed', steps: 3, schedule: 'linear', ranking: 'entropy' } as const;
    expect(decide(settings, { probs: [0.9, 0.5, 0.1], entropies: [0.3, 0.1, 0.2] })).toEqual([1]);
  });
});

describe('random', () => {
  it('takes positions in the order of their lots, as many as the steps ask for', () => {
    // uniform(7, offset, 1) is 0.88, 0.54, 0.96, 0.74 for offsets 16 to 19: lowest first. 4 masked over 2 steps: 2 + 2.
    const probs = [0.9, 0.9, 0.9, 0.9];
    const first = decide({ policy: 'random', steps: 2 }, { probs, offset: 16 }, 7);
    expect(first).toEqual([1, 3]);
    const left = [0, 2];
    const rest = { probs: [0.9, 0.9], positions: left, offset: 16, step: 1, masked: 4 };
    expect(decide({ policy: 'random', steps: 2 }, rest, 7)).toEqual([0, 1]);
  });

  it('is another order for another seed, and for another block, and every position comes first somewhere', () => {
    const probs = new Array(8).fill(0.5);
    const firsts = Array.from(
      { length: 200 },
      (_, seed) => decide({ policy: 'random', steps: 8 }, { probs }, seed)[0]!,
    );
    expect(new Set(firsts).size).toBe(8);
    const blocks = Array.from(
      { length: 200 },
      (_, block) => decide({ policy: 'random', steps: 8 }, { probs, offset: 8 * block }, 3)[0]!,
    );
    expect(new Set(blocks).size).toBe(8);
    // 25 of 200 expected for each, with a standard deviation of 4.7.
    for (let row = 0; row < 8; row++) expect(firsts.filter((first) => first === row).length).toBeLessThan(45);
  });

  it('keeps the order of what is left, whatever was decided before', () => {
    const settings = { policy: 'random', steps: 6 } as const;
    const order: number[] = [];
    const open = [0, 1, 2, 3, 4, 5];
    while (open.length > 0) {
      const example = { probs: open.map(() => 0.5), positions: open, step: order.length, masked: 6, offset: 30 };
      const [row] = decide(settings, example, 5);
      order.push(...open.splice(row!, 1));
    }
    expect([...order].sort()).toEqual([0, 1, 2, 3, 4, 5]);
    const even = order.filter((position) => position % 2 === 0);
    const example = { probs: [0.5, 0.5, 0.5], positions: [0, 2, 4], masked: 6, offset: 30 };
    expect(decide(settings, example, 5)).toEqual([even[0]! / 2]);
  });
});

describe('left_to_right', () => {
  it.each([
    { steps: 64, step: 0, masked: 4, probs: [0.1, 0.9, 0.9, 0.9], decided: [0] },
    { steps: 64, step: 3, masked: 4, probs: [0.1], decided: [0] },
    // 5 masked over 2 steps: 3 + 2.
    { steps: 2, step: 0, masked: 5, probs: [0.1, 0.2, 0.3, 0.4, 0.5], decided: [0, 1, 2] },
    { steps: 2, step: 1, masked: 5, probs: [0.4, 0.5], decided: [0, 1] },
  ])('step $step of $steps, $masked masked: decides $decided', ({ steps, decided, ...example }) => {
    expect(decide({ policy: 'left_to_right', steps }, example)).toEqual(decided);
  });
});

describe('every policy', () => {
  const rounds = 200;
  const numbers = randomFloats(rounds * 40, 9).map(Math.abs);

  it.each(policyNames)('%s decides rows in order, at least one, leaves its input alone and repeats itself', (name) => {
    let at = 0;
    const next = () => numbers[at++ % numbers.length]!;
    for (let round = 0; round < rounds; round++) {
      const rows = 1 + Math.floor(next() * 12);
      const settings = resolvePolicy(name, {
        threshold: next(),
        factor: 0.01 + 3 * next(),
        delta: 0.9 * next(),
        gamma: 2 * next(),
        steps: 1 + Math.floor(next() * 16),
        schedule: next() < 0.5 ? 'linear' : 'cosine',
      });
      const predictions: Predictions = {
        ids: new Int32Array(rows),
        probs: Float32Array.from({ length: rows }, () => (next() < 0.1 ? 1 : next())),
        entropies: Float32Array.from({ length: rows }, () => 3 * next()),
      };
      const positions = Int32Array.from({ length: rows }, (_, row) => 2 * row + 1);
      const progress = { step: Math.floor(next() * 4), initiallyMasked: rows + Math.floor(next() * 4), offset: 24 };
      const before = structuredClone({ predictions, positions });
      const decided = createPolicy(settings, round)(predictions, positions, progress);
      expect(decided.length).toBeGreaterThan(0);
      expect([...new Set(decided)].sort((a, b) => a - b)).toEqual([...decided]);
      expect(decided.every((row) => row >= 0 && row < rows)).toBe(true);
      expect(createPolicy(settings, round)(predictions, positions, progress)).toEqual(decided);
      expect({ predictions, positions }).toEqual(before);
    }
  });

  it.each(['fixed', 'random', 'left_to_right'] as const)('%s takes exactly its steps', (policy) => {
    for (const schedule of ['linear', 'cosine'] as const) {
      for (const steps of [1, 2, 3, 5, 8]) {
        let open = Array.from({ length: 8 }, (_, position) => position);
        let step = 0;
        for (; open.length > 0; step++) {
          const example = { probs: open.map(() => 0.5), positions: open, step, masked: 8 };
          const rows = decide(resolvePolicy(policy, { steps, schedule }), example);
          open = open.filter((_, row) => !rows.includes(row));
        }
        expect(step).toBe(steps);
      }
    }
  });
});

describe('what a request may say', () => {
  it('fills the defaults, and leaves out what the policy does not read', () => {
    expect(resolvePolicy(DEFAULTS.policy, {})).toEqual({ policy: 'confidence', threshold: 0.9 });
    expect(resolvePolicy(DEFAULTS.policy, {}, true)).toEqual({ policy: 'confidence', threshold: 0.3 });
    expect(resolvePolicy(DEFAULTS.policy, { threshold: 0.5 }, true)).toEqual({ policy: 'confidence', threshold: 0.5 });
    expect(resolvePolicy('factor', { threshold: 0.2 })).toEqual({ policy: 'factor', factor: 0.75 });
    expect(resolvePolicy('frechet', { delta: 0 })).toEqual({ policy: 'frechet', delta: 0 });
    expect(resolvePolicy('entropy_bound', {})).toEqual({ policy: 'entropy_bound', gamma: 0.1 });
    expect(resolvePolicy('fixed', { steps: 3 })).toEqual({ policy: 'fixed', steps: 3, schedule: 'linear' });
    expect(resolvePolicy('random', {})).toEqual({ policy: 'random', steps: 64 });
    expect(resolvePolicy('left_to_right', {})).toEqual({ policy: 'left_to_right', steps: 64 });
  });

  it('knows every parameter, its bounds, its readers and every policy, with words for each', () => {
    const names = ['threshold', 'inclusive', 'factor', 'delta', 'gamma', 'steps', 'schedule', 'ranking'];
    expect(Object.keys(policyParameters)).toEqual(names);
    expect(readersOf('steps')).toEqual(['fixed', 'random', 'left_to_right']);
    expect(readersOf('gamma')).toEqual(['entropy_bound']);
    for (const name of policyNames) expect(policySummary(name).length).toBeGreaterThan(20);
    for (const schema of Object.values(policyParameters)) expect(schema.description).toMatch(/Default/);
    expect(policyParameters.delta.safeParse(1).success).toBe(false);
    expect(policyParameters.steps.safeParse(65).success).toBe(false);
  });
});
