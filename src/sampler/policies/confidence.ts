import type { Policy } from './policy.ts';

/**
 * Every row whose probability is above the threshold; the most probable one (leftmost of equals) if none is.
 * Fast-dLLM (arXiv 2505.22618), section 3.3, confidence-aware parallel decoding.
 * @param threshold in [0, 1]; 1 decides one position per step
 */
export function confidence(threshold: number): Policy {
  return ({ probs }) => {
    const sure: number[] = [];
    let best = 0;
    for (const [row, prob] of probs.entries()) {
      if (prob > threshold) sure.push(row);
      if (prob > probs[best]!) best = row;
    }
    return Int32Array.from(sure.length > 0 ? sure : [best]);
  };
}
