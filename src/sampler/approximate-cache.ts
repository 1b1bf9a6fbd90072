/** Denoises under full context without running the whole canvas in every forward (Fast-dLLM, arXiv 2505.22618). */
import type { Predictions } from '../model/model.ts';
import type { Forwards } from './forwards.ts';

export interface ApproximateCacheSettings {
  /** Positions that do not run again between two exact forwards. `prefix`: those before the block. `dual`: all but the block. */
  readonly kind: 'prefix' | 'dual';
  /** One forward in so many is exact; at least 1. Null: only the first of each block. */
  readonly refresh: number | null;
}

type DenoiseForwards = Pick<Forwards, 'denoise' | 'forget'>;

/**
 * The prefix cache and the dual cache of Fast-dLLM (Wu et al. 2025, arXiv 2505.22618, section 3.2). The first forward of a
 * block runs the whole canvas and is exact. Later forwards run only the block and, with `prefix`, the positions after it.
 * They read the K and V of all other positions from the first forward. These are stale: under full context they depend on
 * every token of the block, and the block has changed since.
 *
 * One rule differs. With shifted logits Fast-dLLM decides the first position of a block in its first forward. Here the token
 * before the block, which predicts this position, runs in every forward.
 */
export class ApproximateCache {
  readonly #forwards: DenoiseForwards;
  readonly #settings: ApproximateCacheSettings;
  /** Start, in the canvas, of the block whose KV was kept; this is also the number of kept tokens. Null before the first. */
  #kept: number | null = null;
  /** Forwards from the last exact one on, including it. */
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
