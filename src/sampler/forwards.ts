import type { DiffusionModel, KvCache, Predictions } from '../model/model.ts';
import type { Draw } from './draw.ts';
import { nextMacrotask } from './macrotask.ts';

/** Prompt positions per forward: between two of them a disconnect is noticed. */
const PREFILL_CHUNK = 64;

/**
 * One request's way to the model. Every forward goes through here, so each of them yields to the event loop,
 * checks for abort first, draws by completion offset, and is counted.
 *
 * Every method rejects with `signal.reason` when the signal is aborted, before it runs the model.
 */
export class Forwards {
  /** Forwards after the prefill, commits included. */
  nfe = 0;
  /** Positions in those forwards, all together. */
  positionForwards = 0;

  readonly #model: DiffusionModel;
  readonly #cache: KvCache;
  readonly #draw: Draw;
  readonly #signal: AbortSignal;

  constructor(model: DiffusionModel, cache: KvCache, draw: Draw, signal: AbortSignal) {
    this.#model = model;
    this.#cache = cache;
    this.#draw = draw;
    this.#signal = signal;
  }

  /**
   * Commits the prompt in chunks. Not counted.
   * @param ids (P), P > 0
   * @returns the prediction of completion offset 0 (R = 1)
   */
  async prefill(ids: Int32Array): Promise<Predictions> {
    // Under block-causal attention a chunk that ended inside a block would cut that block's sight.
    const { blockLength } = this.#model.config;
    const chunk = Math.ceil(PREFILL_CHUNK / blockLength) * blockLength;
    let start = 0;
    for (; start + chunk < ids.length; start += chunk) {
      await this.#turn();
      await this.#model.commit(ids.subarray(start, start + chunk), this.#cache, { rows: 'last' });
    }
    return this.#commit(ids.subarray(start), 0);
  }

  /**
   * Appends a finished block's KV.
   * @param ids (B), no mask among them
   * @param offset completion offset of the id after the block
   * @returns the prediction of that id (R = 1)
   */
  commit(ids: Int32Array, offset: number): Promise<Predictions> {
    return this.#counted(ids, () => this.#commit(ids, offset));
  }

  /**
   * Predicts positions of the active block.
   * @param ids (B)
   * @param positions (R) ascending, within the block
   * @param offset completion offset of the block's first position
   */
  denoise(ids: Int32Array, positions: Int32Array, offset: number): Promise<Predictions> {
    return this.#counted(ids, async () => {
      await this.#turn();
      const sampling = this.#draw(positions.map((position) => offset + position));
      return this.#model.denoise(ids, this.#cache, { positions, ...(sampling && { sampling }) });
    });
  }

  async #commit(ids: Int32Array, offset: number): Promise<Predictions> {
    await this.#turn();
    const sampling = this.#draw(Int32Array.of(offset));
    return this.#model.commit(ids, this.#cache, { rows: 'last', ...(sampling && { sampling }) });
  }

  async #counted(ids: Int32Array, forward: () => Promise<Predictions>): Promise<Predictions> {
    const predictions = await forward();
    this.nfe += 1;
    this.positionForwards += ids.length;
    return predictions;
  }

  async #turn(): Promise<void> {
    await nextMacrotask();
    this.#signal.throwIfAborted();
  }
}
