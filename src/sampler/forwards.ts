/** The forwards of one completion. */
import type { Advanced, DenoiseAsk, Predictions } from '../model/model.ts';
import { CountedForwards } from './counted-forwards.ts';
import type { Draw } from './draw.ts';
import type { Alternative, StepEvent } from './events.ts';
import type { Lane, Load } from './scheduling/lane.ts';

const NO_IDS = new Int32Array();

type StaleTokens = Pick<DenoiseAsk, 'keep' | 'ahead'>;

/** What the model finds of a prompt. */
export interface JudgedPrompt {
  /** The prediction of completion offset 0 (R = 1). */
  readonly next: Predictions;
  /** Plain causal probability of the token after each of the prompt but its last. */
  readonly probs: Float32Array; // (P - 1)
  /** The most probable ids in the place of each of those. */
  readonly alternatives: readonly (readonly Alternative[])[]; // (P - 1)
}

/** What they choose is drawn by completion offset. */
export class Forwards extends CountedForwards {
  readonly #draw: Draw;
  readonly #alternatives: number;
  /** The id after a clean token is what a mask in its place says. */
  readonly byMasks: boolean;

  /**
   * @param alternatives most probable ids asked for at every position
   */
  constructor(lane: Lane, draw: Draw, signal: AbortSignal, alternatives = 0, byMasks = false) {
    super(lane, signal);
    this.byMasks = byMasks;
    this.#draw = draw;
    this.#alternatives = alternatives;
  }

  /**
   * Commits what the cache does not have of the prompt. Not counted.
   * @param ids (P), P > 0: the prompt, or its whole blocks where the rest belongs to the first block that is written
   * @returns the prediction of the offset after the last (R = 1)
   */
  async prefill(ids: Int32Array): Promise<Predictions> {
    const first = await this.#first(ids.subarray(this.cache.length));
    this.cache.share();
    return first;
  }

  /**
   * A prefill that also tells how probable each token of the prompt is, given those before it. For an empty cache.
   * @param ids (P), P > 0
   */
  async judgePrompt(ids: Int32Array): Promise<JudgedPrompt> {
    if (this.cache.length > 0) throw new Error('tokens whose KV was reused cannot be judged');
    if (ids.length === 1) return { next: await this.#first(ids), probs: new Float32Array(), alternatives: [] };
    const ask = { rows: 'all' as const, targets: ids.subarray(1), positions: NO_IDS, alternatives: this.#alternatives };
    const { committed } = await this.uncounted({ clean: ids.subarray(0, -1), block: NO_IDS, ask });
    const { targetProbs = new Float32Array() } = committed;
    return { next: await this.#first(ids.subarray(-1)), probs: targetProbs, alternatives: rowsOf(committed) };
  }

  /** Commits the end of the prompt. @returns the prediction of offset 0 (R = 1) */
  async #first(clean: Int32Array): Promise<Predictions> {
    const sampling = this.#draw(Int32Array.of(0));
    const ask = { ...this.#ask('last'), sampling, positions: NO_IDS };
    return (await this.uncounted({ clean, block: NO_IDS, ask })).committed;
  }

  /**
   * Appends the KV of clean tokens.
   * @param ids (C), no mask among them
   * @param offset completion offset of the id after the last
   * @param rows `all`: the prediction after each token (R = C); `last`: of `offset` alone (R = 1)
   */
  async commit(ids: Int32Array, offset: number, rows: 'last' | 'all'): Promise<Predictions> {
    const sampling = this.#after(ids, offset, rows);
    const ask = { ...this.#ask(rows), sampling, positions: NO_IDS };
    return (await this.counted({ clean: ids, block: NO_IDS, ask })).committed;
  }

  /**
   * Predicts positions of the active block.
   * @param ids (B)
   * @param positions (R) ascending, within the block
   * @param offset completion offset of the block's first position
   * @param stale what is kept of this forward's KV, and read of an earlier one's
   */
  async denoise(ids: Int32Array, positions: Int32Array, offset: number, stale: StaleTokens = {}): Promise<Predictions> {
    const blockSampling = this.#draw(positions.map((position) => offset + position));
    const ask = { rows: 'none' as const, positions, blockSampling, alternatives: this.#alternatives, ...stale };
    return (await this.counted({ clean: NO_IDS, block: ids, ask })).block;
  }

  /** Both at once: a commit of `ids` and a denoise of the block right after them, whose first offset is `offset`. */
  advance(
    ids: Int32Array,
    block: Int32Array,
    positions: Int32Array,
    offset: number,
    rows: 'last' | 'all',
  ): Promise<Advanced> {
    const sampling = this.#after(ids, offset, rows);
    const blockSampling = this.#draw(positions.map((position) => offset + position));
    return this.counted({ clean: ids, block, ask: { ...this.#ask(rows), sampling, positions, blockSampling } });
  }

  /** Drops the KV of the last `tokens` tokens: drafts that did not hold, or what is to be run anew. */
  forget(tokens: number): void {
    this.cache.truncate(this.cache.length - tokens);
  }

  /** What a step changed counts in the draws that follow. */
  note({ positions, ids, remasked }: Pick<StepEvent, 'positions' | 'ids' | 'remasked'>): void {
    this.#draw.decided(positions, ids);
    this.#draw.forgotten(remasked);
  }

  #ask(rows: 'last' | 'all') {
    return { rows, byMasks: this.byMasks, alternatives: this.#alternatives };
  }

  /** The draws after clean tokens; `offset` is the one after the last. */
  #after(ids: Int32Array, offset: number, rows: 'last' | 'all') {
    return rows === 'all' ? this.#draw.along(ids, offset) : this.#draw(Int32Array.of(offset));
  }

  /** Positions of one forward at most. */
  get maxForward(): number {
    return this.lane.model.maxForward;
  }

  /** What other requests had in the last forward. */
  get load(): Load {
    return this.lane.load;
  }
}

function rowsOf({ ids, topIds, topProbs }: Predictions): (readonly Alternative[])[] {
  if (!topIds || !topProbs) return Array.from(ids, () => []);
  const count = topIds.length / ids.length;
  return Array.from(ids, (_, row) =>
    Array.from({ length: count }, (_, k) => ({
      id: topIds[row * count + k]!,
      prob: topProbs[row * count + k]!,
    })),
  );
}
