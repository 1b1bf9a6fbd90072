/** Penalties and biases on logits before an id is chosen, in OpenAI's terms. All values are finite. */
import type { Adjustment } from '../model/model.ts';

export interface LogitRules {
  /** Subtracted from the logit of an id once for each time that the id stands in the completion. Negative favours repetition. */
  readonly frequencyPenalty: number;
  /** Subtracted once from the logit of an id that stands in the completion. */
  readonly presencePenalty: number;
  /** Added to the logits of these ids; ids inside the vocabulary. */
  readonly logitBias: ReadonlyMap<number, number>;
}

/**
 * The ids of one completion so far, by offset, and their effect on the next choice:
 * logit[j] + bias[j] - count[j] * frequencyPenalty - (count[j] > 0) * presencePenalty.
 *
 * A denoise counts decided ids wherever they stand, also to the right of a mask. The check of a draft counts only the ids
 * before it, as decoding one token at a time does.
 */
export class TokenTally {
  readonly #rules: LogitRules;
  readonly #decided = new Map<number, number>(); // offset -> id
  #adjustment: Adjustment | null = null;

  constructor(rules: LogitRules) {
    this.#rules = rules;
  }

  /** An offset that is decided again changes its id. */
  decide(offset: number, id: number): void {
    if (this.#decided.get(offset) === id) return;
    this.#decided.set(offset, id);
    this.#adjustment = null;
  }

  forget(offset: number): void {
    if (this.#decided.delete(offset)) this.#adjustment = null;
  }

  /** One per offset. An id that is decided at the offset does not count against its own choice. */
  adjustments(offsets: Int32Array): Adjustment[] {
    return Array.from(offsets, (offset) => {
      if (this.#decided.has(offset)) return this.#render(this.#counts((other) => other !== offset));
      this.#adjustment ??= this.#render(this.#counts(() => true));
      return this.#adjustment;
    });
  }

  /** One per id, for the choice after it. That choice counts the offsets before `start` and the ids up to this one. */
  adjustmentsAlong(start: number, ids: Int32Array): Adjustment[] {
    const counts = this.#counts((offset) => offset < start);
    return Array.from(ids, (id) => {
      addTo(counts, id, 1);
      return this.#render(counts);
    });
  }

  #counts(counted: (offset: number) => boolean): Map<number, number> {
    const counts = new Map<number, number>(); // id -> times
    for (const [offset, id] of this.#decided) if (counted(offset)) addTo(counts, id, 1);
    return counts;
  }

  #render(counts: ReadonlyMap<number, number>): Adjustment {
    const { frequencyPenalty, presencePenalty, logitBias } = this.#rules;
    const deltas = new Map(logitBias);
    if (frequencyPenalty !== 0 || presencePenalty !== 0) {
      for (const [id, count] of counts) {
        addTo(deltas, id, -count * frequencyPenalty);
        addTo(deltas, id, -presencePenalty);
      }
    }
    return adjustmentOf(deltas);
  }
}

/** Adds to the number of an id. */
export function addTo(numbers: Map<number, number>, id: number, amount: number): void {
  // An id that is not in the map yet has 0.
  numbers.set(id, (numbers.get(id) ?? 0) + amount);
}

/** @param deltas by id */
export function adjustmentOf(deltas: ReadonlyMap<number, number>): Adjustment {
  return { ids: Int32Array.from(deltas.keys()), deltas: Float32Array.from(deltas.values()) };
}
