/**
 * The completion while it is written: ids and masks, and what the current forward changed. Prompt tokens that run
 * together with it lie at negative offsets.
 */
import type { ModelConfig } from '../model/config.ts';
import type { Predictions } from '../model/model.ts';
import type { DraftSource } from './drafts/drafter.ts';
import type { Alternative, StepEvent } from './events.ts';

export class Canvas {
  readonly length: number;
  readonly #lead: number;
  readonly #ids: Int32Array; // (lead + maxTokens)
  readonly #probs: Float32Array; // (maxTokens)
  readonly #mask: number;
  readonly #eos: readonly number[];
  readonly #alternatives = new Map<number, readonly Alternative[]>(); // offset -> best first
  /** Drafts that no mask was predicted for, until they are checked. */
  readonly #looked = new Map<number, DraftSource>(); // offset -> source
  /** Ids as the steps so far told them. */
  readonly #told: Int32Array; // (maxTokens)
  /** Offsets that may have changed since the last step. */
  #touched = new Set<number>();

  /** @param lead (T) the prompt's last tokens, none of them committed */
  constructor(maxTokens: number, config: ModelConfig, lead: Int32Array = new Int32Array()) {
    this.length = maxTokens;
    this.#lead = lead.length;
    this.#mask = config.maskTokenId;
    this.#eos = config.eosTokenIds;
    this.#ids = new Int32Array(lead.length + maxTokens).fill(config.maskTokenId);
    this.#ids.set(lead);
    this.#probs = new Float32Array(maxTokens);
    this.#told = new Int32Array(maxTokens).fill(config.maskTokenId);
  }

  /** Id at an offset; past the end, the mask token. */
  at(offset: number): number {
    return this.#ids[offset + this.#lead] ?? this.#mask;
  }

  /** Probability of the id at an offset when it was decided. */
  prob(offset: number): number {
    return this.#probs[offset]!;
  }

  isMask(offset: number): boolean {
    return this.#ids[offset + this.#lead] === this.#mask;
  }

  isEos(offset: number): boolean {
    return this.#eos.includes(this.at(offset));
  }

  /** A copy of the ids from `start` to `end`. */
  slice(start: number, end: number): Int32Array {
    return this.#ids.slice(start + this.#lead, end + this.#lead);
  }

  /** The first offset of the completion from `start` on that is a mask or an EOS; `length` if none is. */
  prefix(start: number): number {
    let offset = Math.max(start, 0);
    while (offset < this.length && !this.isMask(offset) && !this.isEos(offset)) offset++;
    return offset;
  }

  /** The first offset of the completion from `start` on that is a mask; `length` if none is. */
  filled(start: number): number {
    let offset = Math.max(start, 0);
    while (offset < this.length && !this.isMask(offset)) offset++;
    return offset;
  }

  /** Masked offsets from `start` to `end`, relative to `origin`. */
  masked(start: number, end: number, origin: number): Int32Array {
    const found: number[] = [];
    for (let offset = start; offset < end; offset++) if (this.isMask(offset)) found.push(offset - origin);
    return Int32Array.from(found);
  }

  /** Decided offsets of the completion from `start` to `end`. */
  decided(start: number, end: number): Int32Array {
    const found: number[] = [];
    for (let offset = Math.max(start, 0); offset < end; offset++) if (!this.isMask(offset)) found.push(offset);
    return Int32Array.from(found);
  }

  /** @throws Error when the model predicted the mask token: the runtime is broken, and no caller can repair that */
  write(offset: number, predictions: Predictions, row: number): void {
    const id = predictions.ids[row]!;
    if (id === this.#mask) throw new Error('the model predicted the mask token');
    if (this.at(offset) === id) return;
    this.#touched.add(offset);
    this.#ids[offset + this.#lead] = id;
    this.judge(offset, predictions, row);
  }

  /** How many of these ids, from the first on, are neither a mask nor an EOS: those may be proposed. */
  plain(ids: Int32Array): number {
    const special = ids.findIndex((id) => id === this.#mask || this.#eos.includes(id));
    return special < 0 ? ids.length : special;
  }

  /**
   * Writes drafts from elsewhere at masks. A forward has to check them before the next step is told: nobody knows how
   * probable they are.
   * @param ids plain ones
   */
  propose(start: number, ids: Int32Array, source: DraftSource): void {
    for (const [i, id] of ids.entries()) {
      this.#ids[start + i + this.#lead] = id;
      this.#looked.set(start + i, source);
      this.#touched.add(start + i);
    }
  }

  /** Where the draft at an offset is from. */
  source(offset: number): DraftSource {
    return this.#looked.get(offset) ?? 'mask';
  }

  /** Takes the probability and the alternatives of an offset from this row. The id stays, and is no draft any more. */
  judge(offset: number, { ids, probs, topIds, topProbs }: Predictions, row: number): void {
    this.#looked.delete(offset);
    this.#probs[offset] = probs[row]!;
    if (!topIds || !topProbs) return;
    const count = topIds.length / ids.length;
    const top = topIds.subarray(row * count, (row + 1) * count);
    this.#alternatives.set(
      offset,
      Array.from(top, (id, k) => ({ id, prob: topProbs[row * count + k]! })),
    );
  }

  /** Ids from `start` to `end` with their probabilities and alternatives. */
  judged(start: number, end: number) {
    const ids = this.slice(start, end);
    return {
      ids,
      probs: this.#probs.slice(start, end),
      alternatives: Array.from(ids, (_, i) => this.#alternatives.get(start + i) ?? []),
    };
  }

  remask(offset: number): void {
    if (this.isMask(offset)) return;
    this.#ids[offset + this.#lead] = this.#mask;
    this.#looked.delete(offset);
    this.#touched.add(offset);
  }

  /** Masks everything from `start` on. */
  clear(start: number): void {
    for (let offset = start; offset < this.length; offset++) this.remask(offset);
  }

  /** Changes since the last call. */
  takeStep(block: number): StepEvent {
    const changed = Int32Array.from(this.#touched)
      .filter((offset) => this.#told[offset] !== this.at(offset))
      .sort();
    const positions = changed.filter((offset) => !this.isMask(offset));
    const step: StepEvent = {
      type: 'step',
      block,
      positions,
      ids: positions.map((offset) => this.at(offset)),
      probs: Float32Array.from(positions, (offset) => this.prob(offset)),
      revised: positions.filter((offset) => this.#told[offset] !== this.#mask),
      remasked: changed.filter((offset) => this.isMask(offset)),
    };
    for (const offset of changed) this.#told[offset] = this.at(offset);
    this.#touched = new Set();
    return step;
  }
}
