import type { Policy } from './policy.ts';

/**
 * A fixed number of denoise steps per block, the positions spread evenly over them and the remainder taken first
 * (`get_num_transfer_tokens`), most probable first, leftmost of equals.
 * LLaDA (arXiv 2502.09992), section 2.4, low-confidence remasking with a linear schedule.
 * @param steps denoise steps per block, at least 1; more than there are masked positions means one position per step
 */
export function fixed(steps: number): Policy {
  return ({ probs }, _positions, { step, initiallyMasked }) => {
    const quota = Math.floor(initiallyMasked / steps) + (step < initiallyMasked % steps ? 1 : 0);
    const ranked = Array.from(probs.keys()).sort((a, b) => probs[b]! - probs[a]! || a - b);
    return Int32Array.from(ranked.slice(0, Math.max(1, quota))).sort();
  };
}
