/** One edit's way to the model: predictions together with the probabilities of the tokens that are there. */
import type { DiffusionModel, KvCache, Predictions } from '../../model/model.ts';
import { nextMacrotask } from '../macrotask.ts';

/** Predictions with the probabilities of the targets that were asked for. */
export type Judged = Predictions & { readonly targetProbs: Float32Array };

/** The forwards that an edit may take are used up. */
export class ForwardsSpent extends Error {
  override readonly name = 'ForwardsSpent';
}

/**
 * One edit's way to the model: like `Forwards`, every forward yields to the event loop, checks for abort first and is
 * counted. But nothing is drawn here, tokens are judged, and the cache goes back and forth.
 *
 * Every method rejects with `signal.reason` when the signal is aborted, and with ForwardsSpent at the limit, before it
 * runs the model.
 */
export class EditForwards {
  nfe = 0;
  /** Positions in those forwards, all together. */
  positionForwards = 0;

  readonly #model: DiffusionModel;
  readonly #cache: KvCache;
  readonly #most: number;
  readonly #signal: AbortSignal;
  readonly #turn: () => Promise<void>;

  /**
   * @param most forwards at most
   * @param turn awaited before each forward; takes a macrotask at least
   */
  constructor(
    model: DiffusionModel,
    cache: KvCache,
    most: number,
    signal: AbortSignal,
    turn: () => Promise<void> = nextMacrotask,
  ) {
    this.#model = model;
    this.#cache = cache;
    this.#most = most;
    this.#signal = signal;
    this.#turn = turn;
  }

  /** Tokens whose KV is in the cache. */
  get committed(): number {
    return this.#cache.length;
  }

  get maskTokenId(): number {
    return this.#model.config.maskTokenId;
  }

  /** Appends the KV of these tokens (C). */
  async append(ids: Int32Array): Promise<void> {
    await this.#counted(ids.length, () => this.#model.commit(ids, this.#cache, { rows: 'last' }));
  }

  /**
   * Appends the KV of these tokens, and tells how probable the token after each is.
   * @param ids (C)
   * @param targets (C) the token after each
   */
  judge(ids: Int32Array, targets: Int32Array): Promise<Judged> {
    return this.#counted(ids.length, async () =>
      judged(await this.#model.commit(ids, this.#cache, { rows: 'all', targets })),
    );
  }

  /** Predicts positions (R) of a block (B) after the cache's last token. */
  predict(block: Int32Array, positions: Int32Array): Promise<Predictions> {
    return this.#counted(block.length, () => this.#model.denoise(block, this.#cache, { positions }));
  }

  /** The same, with the probabilities of targets (R) there. */
  judgeBlock(block: Int32Array, positions: Int32Array, targets: Int32Array): Promise<Judged> {
    return this.#counted(block.length, async () =>
      judged(await this.#model.denoise(block, this.#cache, { positions, targets })),
    );
  }

  /** Forgets the KV after the first `length` tokens. */
  rewind(length: number): void {
    if (length < this.#cache.length) this.#cache.truncate(length);
  }

  async #counted<T>(positions: number, forward: () => Promise<T>): Promise<T> {
    if (this.nfe >= this.#most) throw new ForwardsSpent(`${this.#most} forwards are used up`);
    await this.#turn();
    this.#signal.throwIfAborted();
    const result = await forward();
    this.nfe += 1;
    this.positionForwards += positions;
    return result;
  }
}

function judged(predictions: Predictions): Judged {
  const { targetProbs } = predictions;
  if (!targetProbs) throw new Error('the model left out the probabilities of the targets');
  return { ...predictions, targetProbs };
}
