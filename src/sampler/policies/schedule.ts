/** How many positions a step decides where a policy spreads a block over a number of steps. */
import { z } from 'zod';
import type { BlockProgress } from './policy.ts';

export type ScheduleName = 'linear' | 'cosine';

/** No block is longer, so this many steps are one position a step. */
export const MOST_STEPS = 64;

export const steps = z
  .int()
  .min(1)
  .max(MOST_STEPS)
  .describe('Denoise steps per block, at most its length. Default: one position a step.');

/**
 * Rows to decide so that the positions still masked after this step are those of the schedule, at least one.
 *
 * `linear`: evenly, the remainder first (LLaDA, arXiv 2502.09992, `get_num_transfer_tokens`).
 * `cosine`: floor(n cos(pi/2 * t/steps)) stay masked after t steps, so few are decided at first, when little is known,
 * and many at the end (MaskGIT, arXiv 2202.04200, section 3.2).
 * @param masked positions that are masked now
 */
export function quota(
  schedule: ScheduleName,
  steps: number,
  masked: number,
  { step, initiallyMasked }: BlockProgress,
): number {
  const left = schedule === 'cosine' ? cosine : linear;
  return Math.max(1, masked - left(initiallyMasked, Math.min(step + 1, steps), steps));
}

function linear(n: number, done: number, steps: number): number {
  return n - done * Math.floor(n / steps) - Math.min(done, n % steps);
}

function cosine(n: number, done: number, steps: number): number {
  // Hosts may differ in the last bit of a cosine, and n cos can be whole: 4 cos(pi/3) is 2.
  return Math.floor(n * Math.cos((Math.PI / 2) * (done / steps)) + 1e-9);
}
