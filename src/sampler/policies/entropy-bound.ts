import * as z from 'zod';
import { definePolicy } from './policy.ts';
import { surestFirst, take } from './ranking.ts';

const defaults = { gamma: 0.1 };

/**
 * The k rows of lowest entropy, for the largest k with H_1 + ... + H_k - max H <= gamma: with H ascending, all of them
 * but the last sum to at most gamma nats. That difference bounds the error of deciding k rows independently, the
 * mutual information among them. k = 1 always holds.
 * EB-Sampler (arXiv 2505.24857).
 */
export const entropyBound = definePolicy({
  summary:
    'the k positions of lowest entropy, for the largest k whose entropies without the largest sum to at most `gamma` (EB-Sampler, arXiv 2505.24857)',
  parameters: {
    gamma: z.number().min(0).max(1000).describe(`In nats; higher decides more at once. Default ${defaults.gamma}.`),
  },
  defaults,
  create: ({ gamma }) => {
    return ({ entropies }) => {
      const ranked = surestFirst(entropies);
      let [k, sum] = [0, 0];
      while (k < ranked.length && sum <= gamma) sum += entropies[ranked[k++]!]!;
      return take(ranked, k);
    };
  },
});
