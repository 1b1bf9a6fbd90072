import { positionsOf } from '../model/forward/pieces.ts';
import type { Advanced, KvCache, SequenceForward } from '../model/model.ts';
import { DraftCounts } from './drafts/counts.ts';
import type { Lane } from './scheduling/lane.ts';

/** One request's forwards: each waits for its turn, is refused after an abort, and is counted. */
export class CountedForwards {
  /** Forwards so far, without those of a prefill. */
  nfe = 0;
  /** Positions in those forwards, all together. */
  positionForwards = 0;
  /** Drafts that they checked. */
  readonly drafts = new DraftCounts();

  protected readonly lane: Lane;
  readonly #signal: AbortSignal;

  constructor(lane: Lane, signal: AbortSignal) {
    this.lane = lane;
    this.#signal = signal;
  }

  protected get cache(): KvCache {
    return this.lane.cache;
  }

  /** @throws the signal's reason when it is aborted, before the model runs */
  protected uncounted(work: Omit<SequenceForward, 'cache'>): Promise<Advanced> {
    return this.lane.forward(work, this.#signal);
  }

  /** The same, counted. */
  protected async counted(work: Omit<SequenceForward, 'cache'>): Promise<Advanced> {
    const answer = await this.uncounted(work);
    this.nfe += 1;
    this.positionForwards += positionsOf(work);
    return answer;
  }
}
