import * as z from 'zod';
import { definePolicy } from './policy.ts';

const defaults = { threshold: 0.9, inclusive: undefined };
/** A draft that is wrong costs little, so a lower threshold pays. */
const verifiedDefaults = { threshold: 0.3 };

/**
 * Every row whose probability is above the threshold; the most probable one (leftmost of equals) if none is.
 * Fast-dLLM (arXiv 2505.22618), section 3.3, confidence-aware parallel decoding. At threshold 1 it is one position a step.
 */
export const confidence = definePolicy({
  summary:
    'every position more probable than `threshold`, or else the most probable one (Fast-dLLM, arXiv 2505.22618, section 3.3)',
  parameters: {
    threshold: z
      .number()
      .min(0)
      .max(1)
      .describe(
        `A probability. Default ${defaults.threshold}; for drafts that are verified ${verifiedDefaults.threshold}.`,
      ),
    inclusive: z.boolean().optional().describe('Also a probability of exactly `threshold`. Default false.'),
  },
  defaults,
  verifiedDefaults,
  create: ({ threshold, inclusive = false }) => {
    return ({ probs }) => {
      const sure: number[] = [];
      let best = 0;
      for (const [row, prob] of probs.entries()) {
        if (prob > threshold || (inclusive && prob === threshold)) sure.push(row);
        if (prob > probs[best]!) best = row;
      }
      return Int32Array.from(sure.length > 0 ? sure : [best]);
    };
  },
});
