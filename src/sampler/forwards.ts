/** One request's way to the model: every forward yields to the event loop, checks for abort, and is counted. */
import { gridOrigin } from '../model/config.ts';
import type { Advanced, CommitAsk, DenoiseAsk, DiffusionModel, KvCache, Predictions } from '../model/model.ts';
import { CountedForwards } from './counted-forwards.ts';
import type { Draw } from './draw.ts';
import type { Alternative, StepEvent } from './events.ts';

/** Prompt positions per forward: between two of them a disconnect is noticed. */
const PREFILL_CHUNK = 64;

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

/** The forwards of one completion. What they choose is drawn by completion offset. */
export class Forwards extends CountedForwards {
  readonly #draw: Draw;
  readonly #alternatives: number;

  /**
   * @param turn awaited before each forward; takes a macrotask at least
   * @param alternatives most probable ids asked for at every position
   */
  constructor(
    model: DiffusionModel,
    cache: KvCache,
    draw: Draw,
    signal: AbortSignal,
    turn?: () => Promise<void>,
    alternatives = 0,
  ) {
    super(model, cache, signal, turn);
    this.#draw = draw;
    this.#alternatives = alternatives;
  }

  /**
   * Commits what the cache does not have of the prompt, in chunks. Not counted.
   * @param ids (P), P > 0: the prompt, or its whole blocks where the rest belongs to the first block that is written
   * @returns the prediction of the offset after the last (R = 1)
   */
  async prefill(ids: Int32Array): Promise<Predictions> {
    // Under block-causal attention a chunk that ended inside a block would cut that block's sight.
    const { config } = this.model;
    const { blockLength } = config;
    const chunk = Math.ceil(PREFILL_CHUNK / blockLength) * blockLength;
    const short = (blockLength - gridOrigin(config, ids.length)) % blockLength;
    let start = this.cache.length;
    for (let end = start + chunk - (start === 0 ? short : 0); end < ids.length; end += chunk) {
      await this.turn();
      await this.model.commit(ids.subarray(start, end), this.cache, { rows: 'last' });
      start = end;
    }
    await this.turn();
    const sampling = this.#draw(Int32Array.of(0));
    const first = await this.#commit(ids.subarray(start), { rows: 'last', sampling });
    this.cache.share();
    return first;
  }

  /**
   * A prefill that also tells how probable each token of the prompt is, given those before it. For an empty cache.
   * @param ids (P), P > 0
   */
  async judgePrompt(ids: Int32Array): Promise<JudgedPrompt> {
    if (this.cache.length > 0) throw new Error('tokens whose KV was reused cannot be judged');
    const probs = new Float32Array(ids.length - 1);
    const alternatives: (readonly Alternative[])[] = [];
    for (let start = 0; start < probs.length; start += PREFILL_CHUNK) {
      const targets = ids.subarray(start + 1, Math.min(start + PREFILL_CHUNK, probs.length) + 1);
      await this.turn();
      const judged = await this.#commit(ids.subarray(start, start + targets.length), { rows: 'all', targets });
      probs.set(judged.targetProbs ?? [], start);
      alternatives.push(...rowsOf(judged));
    }
    await this.turn();
    const sampling = this.#draw(Int32Array.of(0));
    const next = await this.#commit(ids.subarray(-1), { rows: 'last', sampling });
    return { next, probs, alternatives };
  }

  #commit(ids: Int32Array, ask: CommitAsk): Promise<Predictions> {
    return this.model.commit(ids, this.cache, { ...ask, alternatives: this.#alternatives });
  }

  /**
   * Appends the KV of clean tokens.
   * @param ids (C), no mask among them
   * @param offset completion offset of the id after the last
   * @param rows `all`: the prediction after each token (R = C); `last`: of `offset` alone (R = 1)
   */
  commit(ids: Int32Array, offset: number, rows: 'last' | 'all'): Promise<Predictions> {
    return this.counted(ids.length, () => {
      return this.#commit(ids, { rows, sampling: this.#after(ids, offset, rows) });
    });
  }

  /**
   * Predicts positions of the active block.
   * @param ids (B)
   * @param positions (R) ascending, within the block
   * @param offset completion offset of the block's first position
   * @param stale what is kept of this forward's KV, and read of an earlier one's
   */
  denoise(ids: Int32Array, positions: Int32Array, offset: number, stale: StaleTokens = {}): Promise<Predictions> {
    return this.counted(ids.length, () => {
      const sampling = this.#draw(positions.map((position) => offset + position));
      const alternatives = this.#alternatives;
      return this.model.denoise(ids, this.cache, { positions, sampling, alternatives, ...stale });
    });
  }

  /** Both at once: a commit of `ids` and a denoise of the block right after them, whose first offset is `offset`. */
  advance(
    ids: Int32Array,
    block: Int32Array,
    positions: Int32Array,
    offset: number,
    rows: 'last' | 'all',
  ): Promise<Advanced> {
    return this.counted(ids.length + block.length, () => {
      const sampling = this.#after(ids, offset, rows);
      const blockSampling = this.#draw(positions.map((position) => offset + position));
      const alternatives = this.#alternatives;
      return this.model.advance(ids, block, this.cache, { rows, sampling, positions, blockSampling, alternatives });
    });
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

  /** The draws after clean tokens; `offset` is the one after the last. */
  #after(ids: Int32Array, offset: number, rows: 'last' | 'all') {
    return rows === 'all' ? this.#draw.along(ids, offset) : this.#draw(Int32Array.of(offset));
  }

  /** Positions of one forward at most. */
  get maxForward(): number {
    return this.model.maxForward;
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
