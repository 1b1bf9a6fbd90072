import type { Predictions } from '../../model/model.ts';

/** Where a block stands when a policy is asked. */
export interface BlockProgress {
  /** Denoise steps already done in this block: 0 at the first. */
  readonly step: number;
  /** Masked positions that the block began with. */
  readonly initiallyMasked: number;
}

/**
 * Chooses what a denoise step decides. Pure.
 * @param predictions one row per position that is still masked (R), R > 0
 * @param positions where in the block those rows are (R), ascending
 * @returns the rows to decide (D), ascending, at least one: indices into `predictions`, not positions
 */
export type Policy = (predictions: Predictions, positions: Int32Array, progress: BlockProgress) => Int32Array;
