/** Denoises under full context without running the whole canvas in every forward (Fast-dLLM, arXiv 2505.22618). */
import type { Predictions } from '../model/model.ts';
import type { Forwards } from './forwards.ts';

export interface ApproximateCacheSettings {
  /** What is not run again between two exact forwards: what stands before the block, or all but the block. */
  readonly kind: 'prefix' | 'dual';
  /** Every so many forwards is exact, at least 1. Null: only the first of each block. */
  readonly refresh: number | null;
}

type DenoiseForwards = Pick<Forwards, 'denoise' | 'forget'>;

/**
 * The prefix and the dual cache of Fast-dLLM (Wu et al. 2025, arXiv 2505.22618, section 3.2). The first forward of a block
 * runs the whole canvas and is exact; those after it run the block and, with `prefix`, what follows, and read the K and V that
 * the first one computed of the rest. These are not what they would be now: under full context they depend on every token of
 * the block, which has been written since.
 *
 * Unlike there, no block's first position has to be decided by its first forward where logits are shifted: the token before
 * the block, which predicts it, runs along.
 */
export class ApproximateCache {
  readonly #forwards: DenoiseForwards;
  readonly #settings: ApproximateCacheSettings;
  /** Where the block began that KV was kept for, in the canvas: as many tokens were kept. Null before the first. */
  #kept: number | null = null;
  /** Forwards since the last exact one, which is counted. */
  #age = 0;

  constructor(forwards: DenoiseForwards, settings: ApproximateCacheSettings) {
    this.#forwards = forwards;
    this.#settings = settings;
  }

  /**
   * @param canvas (N)
   * @param positions (R) of the canvas to predict, ascending, in the block
   * @param offset completion offset of the canvas' first position
   * @param start of the block, in the canvas; and its `end`
   */
  denoise(canvas: Int32Array, positions: Int32Array, offset: number, start: number, end: number): Promise<Predictions> {
    const { kind, refresh } = this.#settings;
    if (this.#kept !== start || (refresh !== null && this.#age >= refresh)) {
      if (this.#kept !== null) this.#forwards.forget(this.#kept);
      this.#kept = start;
      this.#age = 1;
      return this.#forwards.denoise(canvas, positions, offset, { keep: start });
    }
    this.#age += 1;
    const stop = kind === 'dual' ? end : canvas.length;
    const rows = canvas.subarray(start, stop);
    const inside = positions.map((position) => position - start);
    return this.#forwards.denoise(rows, inside, offset + start, { ahead: canvas.length - stop });
  }
}
