import * as z from 'zod';
import { definePolicy } from './policy.ts';
import { mostProbableFirst, take } from './ranking.ts';

const defaults = { factor: 0.75 };

/**
 * The n most probable rows, for the largest n with (n + 1)(1 - c_n) < f, c_n the n-th highest probability; one if none.
 * Fast-dLLM (arXiv 2505.22618), section 3.3: if every row's probability is above 1 - e and (n + 1) e <= 1, deciding
 * the n argmaxes together is deciding them one by one, so at f = 1 the rule follows its theorem.
 */
export const factor = definePolicy({
  summary:
    'the n most probable positions, for the largest n with (n + 1)(1 - n-th probability) < `factor` (Fast-dLLM, arXiv 2505.22618, section 3.3)',
  parameters: {
    factor: z
      .number()
      .gt(0)
      .max(64)
      .describe(`Higher decides more at once; 1 is the bound of its theorem. Default ${defaults.factor}.`),
  },
  defaults,
  create: ({ factor: bound }) => {
    return ({ probs }) => {
      const ranked = mostProbableFirst(probs);
      // The left side grows with n, so the first failure ends it.
      let n = 0;
      while (n < ranked.length && (n + 2) * (1 - probs[ranked[n]!]!) < bound) n++;
      return take(ranked, n);
    };
  },
});
