/** Tokens and where they begin in a text that comes out in pieces. */

import { type LineBreak, TokenLineBreaks } from '../generation/line-breaks.ts';
import { NOTHING, withoutBeginning } from '../generation/token-healing.ts';
import type { TextToken } from '../request.ts';
import type { Tokenizer } from './tokenizer.ts';

/** An id with its probability, and the best of its position. */
export interface JudgedId {
  readonly id: number;
  readonly prob: number | null;
  /** Of its position, most probable first. */
  readonly alternatives: readonly { readonly id: number; readonly prob: number }[];
}

export class TokenPlaces {
  readonly #tokenizer: Tokenizer;
  readonly #lineBreaks: TokenLineBreaks | null;
  #pending: TextToken[] = [];

  /** @param lineBreak what line breaks of the text are written as; null: as the tokens have them */
  constructor(tokenizer: Tokenizer, lineBreak: LineBreak | null = null) {
    this.#tokenizer = tokenizer;
    this.#lineBreaks = lineBreak === null ? null : new TokenLineBreaks(lineBreak);
  }

  /**
   * @param offset characters of the text before it
   * @param beginning what of it stands in the prompt; alternatives that begin otherwise are none
   */
  add({ id, prob, alternatives }: JudgedId, offset: number, beginning = NOTHING): void {
    const bytes = (token: number) => {
      const written = withoutBeginning(this.#tokenizer.bytes(token), beginning);
      return written && this.#lineBreaks ? this.#lineBreaks.show(written) : written;
    };
    const others = alternatives.flatMap((other) => {
      const text = bytes(other.id);
      // One id has one probability: the kernels that name alternatives round otherwise than the one that chooses.
      return text ? [{ bytes: text, prob: other.id === id && prob !== null ? prob : other.prob }] : [];
    });
    others.sort((a, b) => b.prob - a.prob);
    this.#pending.push({ bytes: bytes(id) ?? NOTHING, offset, prob, alternatives: others });
    this.#lineBreaks?.pass(this.#tokenizer.bytes(id));
  }

  /** Those that begin before so many characters, each once. */
  take(characters: number): readonly TextToken[] {
    const rest = this.#pending.findIndex(({ offset }) => offset >= characters);
    return this.#pending.splice(0, rest < 0 ? this.#pending.length : rest);
  }
}

/** Code points: what OpenAI's offsets count. */
export function characters(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
