import { Detokenizer } from './detokenizer.ts';
import { StopStrings } from './stop-strings.ts';
import { SuffixOverlap } from './suffix-overlap.ts';
import type { Tokenizer } from './tokenizer.ts';

/** The text of one completion, as its ids become final, up to a stop string. */
export class CompletionText {
  /** Ids so far; a stop string ends the count at the id that completes it, as if ids had come one by one. */
  tokens = 0;
  stopped = false;

  readonly #detokenizer: Detokenizer;
  readonly #stops: StopStrings;
  readonly #overlap: SuffixOverlap;

  /** @param suffix what follows the text; its beginning is not written twice */
  constructor(tokenizer: Tokenizer, stop: readonly string[], suffix: string) {
    this.#detokenizer = new Detokenizer(tokenizer);
    this.#stops = new StopStrings(stop);
    this.#overlap = new SuffixOverlap(suffix);
  }

  /**
   * @param ids (S) that are final
   * @param last none follow: what was held back comes out
   * @returns text that will never change again
   */
  push(ids: Int32Array, last: boolean): string {
    let text = '';
    for (const id of ids) {
      const settled = this.#stops.push(this.#detokenizer.push(id));
      text += this.#overlap.push(settled.text);
      this.tokens += 1;
      if (settled.stopped) {
        this.stopped = true;
        return text + this.#overlap.flush();
      }
    }
    return last ? text + this.#overlap.push(this.#stops.flush()) + this.#overlap.flush() : text;
  }
}
