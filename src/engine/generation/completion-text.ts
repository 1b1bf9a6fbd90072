/** The text of a completion while its ids become final: UTF-8, stop strings, and a repeated suffix. */
import type { SettledEvent } from '../../sampler/events.ts';
import type { TextToken } from '../request.ts';
import { Detokenizer } from '../tokenizer/detokenizer.ts';
import { characters, TokenPlaces } from '../tokenizer/token-places.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { StopStrings } from './stop-strings.ts';
import { SuffixOverlap } from './suffix-overlap.ts';
import { NOTHING } from './token-healing.ts';

export interface TextPiece {
  /** That will never change again. */
  readonly text: string;
  /** That begin in the text so far, each once; none where nobody asked for them. */
  readonly tokens: readonly TextToken[];
}

/** The text of one completion, as its ids become final, up to a stop string. */
export class CompletionText {
  /** Ids so far; a stop string ends the count at the id that completes it, as if ids had come one by one. */
  tokens = 0;
  hasNewLine = false;
  /** What ended the text. */
  stopString: string | null = null;

  readonly #detokenizer: Detokenizer;
  readonly #stops: StopStrings;
  readonly #overlap: SuffixOverlap;
  readonly #places: TokenPlaces | null;
  readonly #beginning: Uint8Array;
  /** Characters of the ids so far. */
  #read = 0;
  /** Characters that came out. */
  #shown = 0;

  /**
   * @param suffix what follows the text; its beginning is not written twice
   * @param withTokens tokens come out beside the text
   * @param beginning bytes of the first token that stand in the prompt
   */
  constructor(tokenizer: Tokenizer, stop: readonly string[], suffix: string, withTokens: boolean, beginning = NOTHING) {
    this.#beginning = beginning;
    this.#detokenizer = new Detokenizer(tokenizer);
    this.#stops = new StopStrings(stop);
    this.#overlap = new SuffixOverlap(suffix);
    this.#places = withTokens ? new TokenPlaces(tokenizer) : null;
  }

  get stopped(): boolean {
    return this.stopString !== null;
  }

  /** @param last no ids follow: what was held back comes out */
  push(settled: Pick<SettledEvent, 'ids' | 'probs' | 'alternatives'>, last: boolean): TextPiece {
    const text = this.#text(settled, last);
    if (text.includes('\n')) this.hasNewLine = true;
    return { text, tokens: this.#places ? this.#tokensOf(this.#places, text, last) : [] };
  }

  #text({ ids, probs, alternatives }: Pick<SettledEvent, 'ids' | 'probs' | 'alternatives'>, last: boolean): string {
    let text = '';
    for (const [i, id] of ids.entries()) {
      const beginning = this.tokens === 0 ? this.#beginning : undefined;
      const piece = this.#detokenizer.push(id, beginning?.length);
      this.#places?.add({ id, prob: probs[i]!, alternatives: alternatives[i]! }, this.#read, beginning);
      if (this.#places) this.#read += characters(piece);
      const settled = this.#stops.push(piece);
      text += this.#overlap.push(settled.text);
      this.tokens += 1;
      if (settled.stop !== null) {
        this.stopString = settled.stop;
        return text + this.#overlap.flush();
      }
    }
    return last ? text + this.#overlap.push(this.#stops.flush()) + this.#overlap.flush() : text;
  }

  #tokensOf(places: TokenPlaces, text: string, last: boolean): readonly TextToken[] {
    this.#shown += characters(text);
    // If a text was cut, the tokens after the cut never come out.
    const whole = last && !this.stopped && this.#shown === this.#read;
    return places.take(whole ? Number.POSITIVE_INFINITY : this.#shown);
  }
}
