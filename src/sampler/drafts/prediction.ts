/** Drafts from a text that the reader has predicted: OpenAI's `prediction`. */
import { AcceptanceTable } from './acceptance.ts';
import type { Draft, Drafter } from './drafter.ts';
import { PredictedText } from './predicted-text.ts';

/** By the number of ids before the draft that agree: most of a predicted text is written again. */
export const PREDICTION_PRIORS: readonly number[] = [
  0.5, 0.6, 0.75, 0.8, 0.85, 0.88, 0.9, 0.92, 0.93, 0.94, 0.95, 0.95, 0.96, 0.96, 0.96, 0.97, 0.97,
];

export class PredictionDrafts implements Drafter {
  readonly source = 'prediction';
  readonly #text: PredictedText;
  readonly #acceptance: AcceptanceTable;

  /**
   * @param ids (N), N > 0
   * @param acceptance of all requests, by the number of ids that agree
   */
  constructor(ids: Int32Array, acceptance: AcceptanceTable) {
    this.#text = new PredictedText(ids);
    this.#acceptance = new AcceptanceTable(acceptance);
  }

  push(ids: Int32Array): void {
    this.#text.push(ids);
  }

  propose(most: number): Draft | null {
    const ids = this.#text.next(most);
    if (ids.length === 0) return null;
    return { ids, rates: Array.from(ids, (_, i) => this.#acceptance.rate(this.#text.match + i)) };
  }

  /** Called before the ids are pushed: the place is still that of the proposal. */
  observe(held: number, offered: number): void {
    for (let i = 0; i < offered; i++) this.#acceptance.observe(this.#text.match + i, i < held);
  }
}
