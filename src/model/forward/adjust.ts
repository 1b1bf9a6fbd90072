/** How logits are moved, and which of them a least share of the best keeps. One rule for all runtimes. */
import type { Adjustment } from '../model.ts';

/**
 * The i-th adjusted logit: first the repetition penalty of CTRL (arXiv 1909.05858, section 4.1), which divides what is above
 * 0 and multiplies what is below, then what is added.
 */
export function adjusted(plain: number, { deltas, factors }: Adjustment, i: number): number {
  const factor = factors ? factors[i]! : 1;
  return (plain > 0 ? plain / factor : plain * factor) + deltas[i]!;
}

/**
 * How many ids have a probability of at least `minP` times that of the best one, after the adjustment and at the temperature.
 * The cut to so many of the most probable ids is then the cut by `minP`.
 * @param logits (V) plain; the mask token's counts for nothing
 * @param minP above 0, at most 1
 */
export function countWithin(
  logits: Float32Array,
  maskId: number,
  adjustment: Adjustment | undefined,
  temperature: number,
  minP: number,
): number {
  const moved = new Map<number, number>();
  adjustment?.ids.forEach((id, i) => {
    moved.set(id, Math.fround(adjusted(logits[id]!, adjustment, i)));
  });
  moved.set(maskId, Number.NEGATIVE_INFINITY);
  let most = Number.NEGATIVE_INFINITY;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id]!;
    if (logit > most && !moved.has(id)) most = logit;
  }
  for (const logit of moved.values()) most = Math.max(most, logit);
  const least = most + temperature * Math.log(minP);
  let count = 0;
  for (let id = 0; id < logits.length; id++) if (logits[id]! >= least) count++;
  // What was moved is counted where it is now.
  for (const [id, logit] of moved) {
    if (logits[id]! >= least) count--;
    if (logit >= least) count++;
  }
  return count;
}
