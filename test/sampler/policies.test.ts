import { describe, expect, it } from 'vitest';
import type { Predictions } from '../../src/model/model.ts';
import { createPolicy, policyNames } from '../../src/sampler/policies/index.ts';

function rows(
  policy: ReturnType<typeof createPolicy>,
  probs: number[],
  step: number,
  initiallyMasked: number,
): number[] {
  const predictions: Predictions = {
    ids: new Int32Array(probs.length),
    probs: Float32Array.from(probs),
    entropies: new Float32Array(probs.length),
  };
  const positions = Int32Array.from(probs.keys(), (row) => 2 * row + 1);
  return [...policy(predictions, positions, { step, initiallyMasked })];
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
  ])('threshold $threshold over $probs decides $decided', ({ threshold, probs, decided }) => {
    const policy = createPolicy({ policy: 'confidence', threshold, steps: 4 });
    expect(rows(policy, probs, 0, probs.length)).toEqual(decided);
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
  ])('step $step of $steps, $masked masked: $probs decides $decided', ({ steps, step, masked, probs, decided }) => {
    const policy = createPolicy({ policy: 'fixed', threshold: 0.9, steps });
    expect(rows(policy, probs, step, masked)).toEqual(decided);
  });
});

describe('every policy', () => {
  it.each(policyNames)('%s leaves its input alone and answers the same twice', (name) => {
    const policy = createPolicy({ policy: name, threshold: 0.4, steps: 2 });
    const predictions: Predictions = {
      ids: Int32Array.of(4, 3, 2, 1),
      probs: Float32Array.of(0.25, 0.5, 0.125, 0.75),
      entropies: Float32Array.of(1, 2, 3, 4),
    };
    const positions = Int32Array.of(1, 3, 5, 7);
    const before = structuredClone({ predictions, positions });
    const decided = policy(predictions, positions, { step: 0, initiallyMasked: 4 });
    expect(decided).toEqual(Int32Array.of(1, 3));
    expect(policy(predictions, positions, { step: 0, initiallyMasked: 4 })).toEqual(decided);
    expect({ predictions, positions }).toEqual(before);
  });
});
