import type { DiffusionModel, KvCache } from '../model/model.ts';
import { nextMacrotask } from './macrotask.ts';

/**
 * One request's way to the model. Every forward waits for its turn, which yields to the event loop, then checks for an
 * abort, and is counted.
 *
 * Every method rejects with `signal.reason` when the signal is aborted, before it runs the model.
 */
export class CountedForwards {
  /** Forwards so far, without those of a prefill. */
  nfe = 0;
  /** Positions in those forwards, all together. */
  positionForwards = 0;

  protected readonly model: DiffusionModel;
  protected readonly cache: KvCache;
  readonly #signal: AbortSignal;
  readonly #awaitTurn: () => Promise<void>;

  /** @param turn awaited before each forward; takes a macrotask at least */
  constructor(model: DiffusionModel, cache: KvCache, signal: AbortSignal, turn: () => Promise<void> = nextMacrotask) {
    this.model = model;
    this.cache = cache;
    this.#signal = signal;
    this.#awaitTurn = turn;
  }

  protected async turn(): Promise<void> {
    await this.#awaitTurn();
    this.#signal.throwIfAborted();
  }

  protected async counted<T>(positions: number, forward: () => Promise<T>): Promise<T> {
    await this.turn();
    const result = await forward();
    this.nfe += 1;
    this.positionForwards += positions;
    return result;
  }
}
