import * as z from 'zod';
import { definePolicy } from './policy.ts';
import { mostProbableFirst, take } from './ranking.ts';

const defaults = { delta: 0.25 };

/**
 * The n most probable rows, for the largest n with L_n - U_n > delta; one if none. With c_1 >= c_2 >= ... :
 *
 * L_n = max(0, c_1 + ... + c_n - (n - 1)), Frechet's lower bound of the probability that all n ids are right together,
 * whatever their dependence: each id is wrong with 1 - c_i, and the union of n such events has at most their sum.
 * U_n = 1 - c_n, an upper bound of any other joint choice: it differs in some row i, so it is at most as probable as that
 * row's id being wrong, 1 - c_i, and the n-th row has the largest of these.
 *
 * L_n > U_n therefore proves that the n ids are the most probable ones jointly; delta is a margin on top.
 * Fast-dLLM++ (arXiv 2606.02955). Unlike `factor` it sees the whole profile of probabilities, not only the n-th.
 */
export const frechet = definePolicy({
  summary:
    'the n most probable positions, for the largest n whose joint probability is by Frechet bounds at least `delta` above any other choice (Fast-dLLM++, arXiv 2606.02955)',
  parameters: {
    delta: z
      .number()
      .min(0)
      .lt(1)
      .describe(`A margin of probability; lower decides more at once. Default ${defaults.delta}.`),
  },
  defaults,
  create: ({ delta }) => {
    return ({ probs }) => {
      const ranked = mostProbableFirst(probs);
      // L_n falls and U_n grows with n, so the first failure ends it.
      let [n, wrong] = [0, 0];
      for (; n < ranked.length; n++) {
        const miss = 1 - probs[ranked[n]!]!;
        wrong += miss;
        if (Math.max(0, 1 - wrong) - miss <= delta) break;
      }
      return take(ranked, n);
    };
  },
});
