/** One edit's way to the model: predictions together with the probabilities of the tokens that are there. */
import type { DiffusionModel, KvCache, Predictions } from '../../model/model.ts';
import { CountedForwards } from '../counted-forwards.ts';

/** Predictions with the probabilities of the targets that were asked for. */
export type Judged = Predictions & { readonly targetProbs: Float32Array };

/** The forwards that an edit may take are used up. */
export class ForwardsSpent extends Error {
  override readonly name = 'ForwardsSpent';
}

/**
 * The forwards of one edit. Nothing is drawn here: tokens are judged, and the cache goes back and forth.
 *
 * Every method also rejects with ForwardsSpent at the limit, before it runs the model.
 */
export class EditForwards extends CountedForwards {
  readonly #most: number;

  /**
   * @param most forwards at most
   * @param turn awaited before each forward; takes a macrotask at least
   */
  constructor(model: DiffusionModel, cache: KvCache, most: number, signal: AbortSignal, turn?: () => Promise<void>) {
    super(model, cache, signal, turn);
    this.#most = most;
  }

  /** Tokens whose KV is in the cache. */
  get committed(): number {
    return this.cache.length;
  }

  get maskTokenId(): number {
    return this.model.config.maskTokenId;
  }

  /** Appends the KV of these tokens (C). */
  async append(ids: Int32Array): Promise<void> {
    await this.counted(ids.length, () => this.model.commit(ids, this.cache, { rows: 'last' }));
  }

  /**
   * Appends the KV of these tokens, and tells how probable the token after each is.
   * @param ids (C)
   * @param targets (C) the token after each
   */
  judge(ids: Int32Array, targets: Int32Array): Promise<Judged> {
    return this.counted(ids.length, async () =>
      judged(await this.model.commit(ids, this.cache, { rows: 'all', targets })),
    );
  }

  /** Predicts positions (R) of a block (B) after the cache's last token. */
  predict(block: Int32Array, positions: Int32Array): Promise<Predictions> {
    return this.counted(block.length, () => this.model.denoise(block, this.cache, { positions }));
  }

  /** The same, with the probabilities of targets (R) there. */
  judgeBlock(block: Int32Array, positions: Int32Array, targets: Int32Array): Promise<Judged> {
    return this.counted(block.length, async () =>
      judged(await this.model.denoise(block, this.cache, { positions, targets })),
    );
  }

  /** Forgets the KV after the first `length` tokens. */
  rewind(length: number): void {
    if (length < this.cache.length) this.cache.truncate(length);
  }

  protected override async counted<T>(positions: number, forward: () => Promise<T>): Promise<T> {
    if (this.nfe >= this.#most) throw new ForwardsSpent(`${this.#most} forwards are used up`);
    return super.counted(positions, forward);
  }
}

function judged(predictions: Predictions): Judged {
  const { targetProbs } = predictions;
  if (!targetProbs) throw new Error('the model left out the probabilities of the targets');
  return { ...predictions, targetProbs };
}
