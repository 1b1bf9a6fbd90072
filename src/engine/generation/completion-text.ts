/** The text of a completion while its ids become final: UTF-8, line breaks, stop strings, and a repeated suffix. */
import type { SettledEvent } from '../../sampler/events.ts';
import type { TextToken } from '../request.ts';
import { Detokenizer } from '../tokenizer/detokenizer.ts';
import { characters, TokenPlaces } from '../tokenizer/token-places.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { type LineBreak, LineFeeds, withLineBreaks } from './line-breaks.ts';
import { RepeatedLine } from './repeated-line.ts';
import { StopStrings } from './stop-strings.ts';
import { SuffixOverlap } from './suffix-overlap.ts';
import { NOTHING } from './token-healing.ts';

export interface TextPiece {
  /** That will never change again. */
  readonly text: string;
  /** That begin in the text so far, each once; none where nobody asked for them. */
  readonly tokens: readonly TextToken[];
}

/** What stands around the text that is written. */
export interface AroundText {
  /** What follows the text; its beginning is not written twice. Line feeds. */
  readonly suffix: string;
  /** The line that the text must not be (`lineAfter`). */
  readonly lineAfter: string | null;
  /** What the text's line breaks are written as; null: as the model writes them. */
  readonly lineBreak: LineBreak | null;
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
  readonly #line: RepeatedLine;
  readonly #overlap: SuffixOverlap;
  readonly #lineBreak: LineBreak | null;
  readonly #lineFeeds = new LineFeeds();
  readonly #places: TokenPlaces | null;
  readonly #beginning: Uint8Array;
  /** Characters of the ids so far. */
  #read = 0;
  /** Characters that came out. */
  #shown = 0;

  /**
   * @param withTokens tokens come out beside the text
   * @param beginning bytes of the first token that stand in the prompt
   */
  constructor(
    tokenizer: Tokenizer,
    stop: readonly string[],
    { suffix, lineAfter, lineBreak }: AroundText,
    withTokens: boolean,
    beginning = NOTHING,
  ) {
    this.#lineBreak = lineBreak;
    this.#beginning = beginning;
    this.#detokenizer = new Detokenizer(tokenizer);
    this.#stops = new StopStrings(stop);
    this.#line = new RepeatedLine(lineAfter);
    this.#overlap = new SuffixOverlap(suffix);
    this.#places = withTokens ? new TokenPlaces(tokenizer, lineBreak) : null;
  }

  get stopped(): boolean {
    return this.stopString !== null;
  }

  /** @param last no ids follow: what was held back comes out */
  push(settled: Pick<SettledEvent, 'ids' | 'probs' | 'alternatives'>, last: boolean): TextPiece {
    const read = this.#text(settled, last);
    if (read.includes('\n')) this.hasNewLine = true;
    const text = this.#written(read);
    return { text, tokens: this.#places ? this.#tokensOf(this.#places, text, last) : [] };
  }

  #text({ ids, probs, alternatives }: Pick<SettledEvent, 'ids' | 'probs' | 'alternatives'>, last: boolean): string {
    let text = '';
    for (const [i, id] of ids.entries()) {
      const beginning = this.tokens === 0 ? this.#beginning : undefined;
      const bytes = this.#detokenizer.push(id, beginning?.length);
      const piece = this.#lineBreak === null ? bytes : this.#lineFeeds.read(bytes);
      this.#places?.add({ id, prob: probs[i]!, alternatives: alternatives[i]! }, this.#read, beginning);
      if (this.#places) this.#read += characters(this.#written(piece));
      const settled = this.#stops.push(piece);
      const { text: other, repeated } = this.#line.push(settled.text);
      text += this.#overlap.push(other);
      this.tokens += 1;
      const ended = repeated ?? settled.stop;
      if (ended !== null) {
        this.stopString = ended;
        return text + this.#rest('');
      }
    }
    return last ? text + this.#rest(this.#stops.flush()) : text;
  }

  /** The last text, and all that was held back. */
  #rest(text: string): string {
    const { text: other, repeated } = this.#line.push(text);
    return this.#overlap.push(repeated === null ? other + this.#line.flush() : '') + this.#overlap.flush();
  }

  #written(text: string): string {
    return this.#lineBreak === null ? text : withLineBreaks(text, this.#lineBreak);
  }

  #tokensOf(places: TokenPlaces, text: string, last: boolean): readonly TextToken[] {
    this.#shown += characters(text);
    // If a text was cut, the tokens after the cut never come out.
    const whole = last && !this.stopped && this.#shown === this.#read;
    return places.take(whole ? Number.POSITIVE_INFINITY : this.#shown);
  }
}
