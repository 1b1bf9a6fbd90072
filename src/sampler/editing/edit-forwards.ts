/** One edit's way to the model: predictions together with the probabilities of the tokens that are there. */
import type { Advanced, Predictions, SequenceForward } from '../../model/model.ts';
import { CountedForwards } from '../counted-forwards.ts';
import type { Lane } from '../scheduling/lane.ts';

const NO_IDS = new Int32Array();

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

  /** @param most forwards at most */
  constructor(lane: Lane, most: number, signal: AbortSignal) {
    super(lane, signal);
    this.#most = most;
  }

  /** Tokens whose KV is in the cache. */
  get committed(): number {
    return this.cache.length;
  }

  get maskTokenId(): number {
    return this.lane.model.config.maskTokenId;
  }

  /** Appends the KV of these tokens (C). */
  async append(ids: Int32Array): Promise<void> {
    await this.counted({ clean: ids, block: NO_IDS, ask: { rows: 'none', positions: NO_IDS } });
  }

  /**
   * Appends the KV of these tokens, and tells how probable the token after each is.
   * @param ids (C)
   * @param targets (C) the token after each
   */
  async judge(ids: Int32Array, targets: Int32Array): Promise<Judged> {
    const ask = { rows: 'all' as const, targets, positions: NO_IDS };
    return judged((await this.counted({ clean: ids, block: NO_IDS, ask })).committed);
  }

  /** Predicts positions (R) of a block (B) after the cache's last token. */
  async predict(block: Int32Array, positions: Int32Array): Promise<Predictions> {
    return (await this.counted({ clean: NO_IDS, block, ask: { rows: 'none', positions } })).block;
  }

  /** The same, with the probabilities of targets (R) there. */
  async judgeBlock(block: Int32Array, positions: Int32Array, targets: Int32Array): Promise<Judged> {
    const ask = { rows: 'none' as const, positions, blockTargets: targets };
    return judged((await this.counted({ clean: NO_IDS, block, ask })).block);
  }

  /** Forgets the KV after the first `length` tokens. */
  rewind(length: number): void {
    if (length < this.cache.length) this.cache.truncate(length);
  }

  protected override async counted(work: Omit<SequenceForward, 'cache'>): Promise<Advanced> {
    if (this.nfe >= this.#most) throw new ForwardsSpent(`${this.#most} forwards are used up`);
    return super.counted(work);
  }
}

function judged(predictions: Predictions): Judged {
  const { targetProbs } = predictions;
  if (!targetProbs) throw new Error('the model left out the probabilities of the targets');
  return { ...predictions, targetProbs };
}
