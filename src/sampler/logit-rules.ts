/** Penalties and biases on logits before an id is chosen, in OpenAI's terms. All values are finite. */
import type { Adjustment } from '../model/model.ts';

export interface LogitRules {
  /** Subtracted from the logit of an id once for each time that the id stands in the completion. Negative favours repetition. */
  readonly frequencyPenalty: number;
  /** Subtracted once from the logit of an id that stands in the completion. */
  readonly presencePenalty: number;
  /** Added to the logits of these ids; ids inside the vocabulary. */
  readonly logitBias: ReadonlyMap<number, number>;
  /** Absent: none. */
  readonly repetition?: Repetition | undefined;
}

/** A penalty on ids that stand near, in the prompt or in the completion, however often (arXiv 1909.05858, section 4.1). */
interface Repetition {
  /** Above 0. What is above 1 makes a repetition less probable. */
  readonly penalty: number;
  /** Tokens before the choice that count. Infinite: all. */
  readonly window: number;
}

/**
 * The ids of one completion so far, by offset, and their effect on the next choice:
 * penalised(logit[j]) + bias[j] - count[j] * frequencyPenalty - (count[j] > 0) * presencePenalty.
 *
 * A denoise counts decided ids wherever they stand, also to the right of a mask; for the repetition penalty as far to the right
 * as to the left. The check of a draft counts only the ids before it, as decoding one token at a time does.
 */
export class TokenTally {
  readonly #rules: LogitRules;
  readonly #decided = new Map<number, number>(); // offset -> id
  #adjustment: Adjustment | null = null;

  readonly #prompt: Int32Array; // (P)

  /** @param prompt (P) the tokens before offset 0 */
  constructor(rules: LogitRules, prompt: Int32Array = new Int32Array()) {
    this.#rules = rules;
    this.#prompt = prompt;
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
    const { repetition } = this.#rules;
    return Array.from(offsets, (offset) => {
      if (repetition) {
        const near = new Set(this.#promptNear(offset, repetition.window));
        for (const [other, id] of this.#decided) {
          if (other !== offset && Math.abs(other - offset) <= repetition.window) near.add(id);
        }
        return this.#render(
          this.#counts((other) => other !== offset),
          near,
        );
      }
      if (this.#decided.has(offset)) return this.#render(this.#counts((other) => other !== offset));
      this.#adjustment ??= this.#render(this.#counts(() => true));
      return this.#adjustment;
    });
  }

  /** One per id, for the choice after it. That choice counts the offsets before `start` and the ids up to this one. */
  adjustmentsAlong(start: number, ids: Int32Array): Adjustment[] {
    const counts = this.#counts((offset) => offset < start);
    const { repetition } = this.#rules;
    return Array.from(ids, (id, i) => {
      addTo(counts, id, 1);
      if (!repetition) return this.#render(counts);
      const offset = start + i + 1;
      const from = offset - repetition.window;
      const near = new Set(this.#promptNear(offset, repetition.window));
      for (const [other, decided] of this.#decided) if (other >= from && other < start) near.add(decided);
      for (let at = Math.max(0, from - start); at <= i; at++) near.add(ids[at]!);
      return this.#render(counts, near);
    });
  }

  /** Tokens of the prompt that are at most `window` before an offset. */
  #promptNear(offset: number, window: number): Int32Array {
    return this.#prompt.subarray(Math.max(this.#prompt.length + offset - window, 0));
  }

  #counts(counted: (offset: number) => boolean): Map<number, number> {
    const counts = new Map<number, number>(); // id -> times
    for (const [offset, id] of this.#decided) if (counted(offset)) addTo(counts, id, 1);
    return counts;
  }

  /** @param near ids that the repetition penalty is for */
  #render(counts: ReadonlyMap<number, number>, near?: ReadonlySet<number>): Adjustment {
    const { frequencyPenalty, presencePenalty, logitBias, repetition } = this.#rules;
    const deltas = new Map(logitBias);
    if (frequencyPenalty !== 0 || presencePenalty !== 0) {
      for (const [id, count] of counts) {
        addTo(deltas, id, -count * frequencyPenalty);
        addTo(deltas, id, -presencePenalty);
      }
    }
    if (!repetition || !near) return adjustmentOf(deltas);
    return adjustmentOf(deltas, new Map(Array.from(near, (id) => [id, repetition.penalty])));
  }
}

/** Adds to the number of an id. */
export function addTo(numbers: Map<number, number>, id: number, amount: number): void {
  // An id that is not in the map yet has 0.
  numbers.set(id, (numbers.get(id) ?? 0) + amount);
}

/**
 * @param deltas by id
 * @param factors by id; 1 for all others
 */
export function adjustmentOf(deltas: ReadonlyMap<number, number>, factors?: ReadonlyMap<number, number>): Adjustment {
  const moved = new Map(deltas);
  for (const id of factors?.keys() ?? []) addTo(moved, id, 0);
  return {
    ids: Int32Array.from(moved.keys()),
    deltas: Float32Array.from(moved.values()),
    ...(factors && { factors: Float32Array.from(moved.keys(), (id) => factors.get(id) ?? 1) }),
  };
}
