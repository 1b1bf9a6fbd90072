import { Detokenizer } from './detokenizer.ts';
import { StopStrings } from './stop-strings.ts';
import type { Tokenizer } from './tokenizer.ts';

/** The text of one completion, as its ids become final, up to a stop string. */
export class CompletionText {
  /** Ids so far; a stop string ends the count at the id that completes it, as if ids had come one by one. */
  tokens = 0;
  stopped = false;

  readonly #detokenizer: Detokenizer;
  readonly #stops: StopStrings;

  constructor(tokenizer: Tokenizer, stop: readonly string[]) {
    this.#detokenizer = new Detokenizer(tokenizer);
    this.#stops = new StopStrings(stop);
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
      text += settled.text;
      this.tokens += 1;
      if (settled.stopped) {
        this.stopped = true;
        return text;
      }
    }
    return last ? text + this.#stops.flush() : text;
  }
}
