import { definePolicy } from './policy.ts';
import { take } from './ranking.ts';
import { MOST_STEPS, quota, steps } from './schedule.ts';

/** The leftmost masked positions: autoregressive order, but each id is predicted with the block's masks in sight. */
export const leftToRight = definePolicy({
  summary: 'the leftmost positions, a baseline',
  parameters: { steps },
  defaults: { steps: MOST_STEPS },
  create: ({ steps }) => {
    return (_predictions, positions, progress) =>
      take(Array.from(positions.keys()), quota('linear', steps, positions.length, progress));
  },
});
