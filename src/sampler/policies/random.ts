import { uniform } from '../random.ts';
import { definePolicy } from './policy.ts';
import { take } from './ranking.ts';
import { MOST_STEPS, quota, steps } from './schedule.ts';

/** Stream 0 draws the ids. */
const ORDER_STREAM = 1;

/**
 * Positions in an order that the request's seed gives, whatever the model is sure of: the baseline of every other rule,
 * and the order in which masked diffusion is trained (LLaDA, arXiv 2502.09992, section 2.4, random remasking).
 * An offset's place depends on the seed and the offset alone, so it is the same on every host.
 */
export const random = definePolicy({
  summary: 'positions in an order drawn from the seed, a baseline (LLaDA, arXiv 2502.09992, section 2.4)',
  parameters: { steps },
  defaults: { steps: MOST_STEPS },
  create: ({ steps }, seed) => {
    return (_predictions, positions, progress) => {
      const lots = Array.from(positions, (position) => uniform(seed, progress.offset + position, ORDER_STREAM));
      const ranked = Array.from(lots.keys()).sort((a, b) => lots[a]! - lots[b]! || a - b);
      return take(ranked, quota('linear', steps, positions.length, progress));
    };
  },
});
