/** How many positions a step decides where a policy spreads a block over a number of steps. */
import * as z from 'zod';
import type { BlockProgress } from './policy.ts';

export type ScheduleName = 'linear' | 'cosine' | 'round' | 'floor';

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
 * `round`, `floor`: see `shares`.
 * @param masked positions that are masked now
 */
export function quota(
  schedule: ScheduleName,
  steps: number,
  masked: number,
  { step, initiallyMasked }: BlockProgress,
): number {
  if (schedule === 'round' || schedule === 'floor') {
    const done = shares(schedule, initiallyMasked, steps).slice(0, step + 1);
    return Math.max(1, masked - done.reduce((left, count) => left - count, initiallyMasked));
  }
  const left = schedule === 'cosine' ? cosine : linear;
  return Math.max(1, masked - left(initiallyMasked, Math.min(step + 1, steps), steps));
}

/** Where Dream's time ends: not at 0, so its share of a step is a little less than one of those left. */
const DREAM_EPS = 1e-3;

/**
 * Positions of each step that decides any. Of m masks, step i of T decides the share that time loses in it.
 *
 * `round`: m / (T - i), to the nearest, halves to even (dllm, `get_num_transfer_tokens` of a linear schedule).
 * `floor`: m (1 - s/t) with times from 1 down to eps, rounded down, and all that is left in the last step (Dream,
 * arXiv 2508.15487, `diffusion_generate`).
 */
function shares(schedule: 'round' | 'floor', masks: number, steps: number): number[] {
  const total = Math.min(steps, masks);
  const time = (i: number) => 1 - (i * (1 - DREAM_EPS)) / total;
  const counts: number[] = [];
  for (let i = 0, left = masks; i < total; i++) {
    let count = left;
    if (schedule === 'round') count = halfToEven(left / (total - i));
    else if (i < total - 1) count = Math.floor(left * (1 - time(i + 1) / time(i)));
    if (count > 0) counts.push(count);
    left -= count;
  }
  return counts;
}

function halfToEven(value: number): number {
  const down = Math.floor(value);
  if (value - down !== 0.5) return Math.round(value);
  return down % 2 === 0 ? down : down + 1;
}

function linear(n: number, done: number, steps: number): number {
  return n - done * Math.floor(n / steps) - Math.min(done, n % steps);
}

function cosine(n: number, done: number, steps: number): number {
  // Hosts may differ in the last bit of a cosine, and n cos can be whole: 4 cos(pi/3) is 2.
  return Math.floor(n * Math.cos((Math.PI / 2) * (done / steps)) + 1e-9);
}
