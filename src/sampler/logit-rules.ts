/** Penalties and biases on logits before an id is chosen, in OpenAI's terms. All values are finite. */
import type { Adjustment } from '../model/model.ts';

/** What moves logits before an id is chosen, in OpenAI's terms. All values finite. */
export interface LogitRules {
  /** Taken from an id's logit for each time it stands in the completion; negative favours repetition. */
  readonly frequencyPenalty: number;
  /** Taken once from the logit of an id that stands in the completion. */
  readonly presencePenalty: number;
  /** Added to the logits of these ids; ids inside the vocabulary. */
  readonly logitBias: ReadonlyMap<number, number>;
}

/**
 * The ids of one completion so far, by offset, and what they do to the next choice:
 * logit[j] + bias[j] - count[j] * frequencyPenalty - (count[j] > 0) * presencePenalty.
 *
 * Decided ids count wherever they stand, so a denoise counts those to the right of a mask as well; drafts that are
 * verified count only what stands before each of them, as one-at-a-time decoding does.
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

  /** One per offset: what is decided there now does not count against its own choice. */
  adjustments(offsets: Int32Array): Adjustment[] {
    return Array.from(offsets, (offset) => {
      if (this.#decided.has(offset)) return this.#render(this.#counts((other) => other !== offset));
      this.#adjustment ??= this.#render(this.#counts(() => true));
      return this.#adjustment;
    });
  }

  /** One per id: for the choice after it, which counts the offsets before `start` and the ids up to and with it. */
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
