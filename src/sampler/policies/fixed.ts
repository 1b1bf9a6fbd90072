import * as z from 'zod';
import { definePolicy } from './policy.ts';
import { mostProbableFirst, surestFirst, take } from './ranking.ts';
import { MOST_STEPS, quota, steps } from './schedule.ts';

const defaults = { steps: MOST_STEPS, schedule: 'linear', ranking: undefined } as const;

/**
 * A fixed number of denoise steps per block: each decides the most probable rows, as many as the schedule says.
 * LLaDA (arXiv 2502.09992), section 2.4, low-confidence remasking; the cosine schedule is MaskGIT's (arXiv 2202.04200).
 */
export const fixed = definePolicy({
  summary:
    'the most probable positions, as many as `schedule` says, so that a block takes `steps` forwards (LLaDA, arXiv 2502.09992, section 2.4)',
  parameters: {
    steps,
    schedule: z
      .enum(['linear', 'cosine', 'round', 'floor'])
      .describe(
        '`linear` decides as many in each step, `cosine` few at first (MaskGIT, arXiv 2202.04200), `round` and `floor` the rounded share of what is left (dllm; Dream, arXiv 2508.15487). Default ' +
          `${defaults.schedule}.`,
      ),
    ranking: z
      .enum(['probability', 'entropy'])
      .optional()
      .describe('What is decided first: the most probable, or the lowest entropy (Dream). Default probability.'),
  },
  defaults,
  create: ({ steps, schedule, ranking = 'probability' }) => {
    return ({ probs, entropies }, _positions, progress) => {
      const ranked = ranking === 'entropy' ? surestFirst(entropies) : mostProbableFirst(probs);
      return take(ranked, quota(schedule, steps, probs.length, progress));
    };
  },
});
