import type { Canvas } from './canvas.ts';
import { uniform } from './random.ts';

/** Chooses decided offsets that become masks again after a step. */
export interface Remasking {
  /**
   * @param decided offsets of the block that were decided before this step (N)
   * @param step of the block, from 0
   * @returns a subset; empty once the steps are used up, so that every block ends
   */
  choose(canvas: Canvas, decided: Int32Array, step: number): Int32Array;
}

export interface RemaskingSettings {
  /**
   * `cap`: every decided position is masked again with probability `sigma`. `confidence`: positions that were decided less
   * surely are masked again more often; the mean probability is `sigma` too.
   */
  readonly strategy: 'cap' | 'confidence';
  /** Probability in [0, 1]. */
  readonly sigma: number;
  /** Steps of a block in which remasking happens; afterwards the block only fills. */
  readonly steps: number;
}

/** First stream of remasking. The draws of ids use lower streams. */
const STREAM = 1000;

/**
 * ReMDM (Wang et al. 2025, arXiv 2503.00307), section 4.1: the capped schedule, and its confidence-weighted form, where
 * position l has the share softmax(-p_l) of the remasked positions.
 */
export function remask({ strategy, sigma, steps }: RemaskingSettings, seed: number): Remasking {
  return {
    choose(canvas, decided, step) {
      if (step >= steps || decided.length === 0) return new Int32Array();
      const weights = Float64Array.from(decided, (offset) => (strategy === 'cap' ? 1 : Math.exp(-canvas.prob(offset)))); // (N)
      const mean = weights.reduce((sum, weight) => sum + weight, 0) / weights.length;
      return decided.filter((offset, i) => uniform(seed, offset, STREAM + step) < (sigma * weights[i]!) / mean);
    },
  };
}
