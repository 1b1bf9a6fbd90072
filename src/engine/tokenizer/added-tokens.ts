/** Finds the added tokens of a tokenizer in a text, as the Rust library's AddedVocabulary does. */
import { z } from 'zod';
import type { Normalizer } from './normalizer.ts';
import { literalSource } from './pattern.ts';
import { classSource, SPACE } from './unicode-classes.ts';

export const addedTokenSchema = z.looseObject({
  id: z.int().nonnegative(),
  content: z.string(),
  special: z.boolean(),
  /** Only between characters that are no part of a word. */
  single_word: z.literal(false, 'single_word is not supported').default(false),
  /** White space on that side belongs to the token. */
  lstrip: z.boolean().default(false),
  rstrip: z.boolean().default(false),
  /** Looked for in the normalized text. */
  normalized: z.boolean().optional(),
});

export type AddedToken = z.output<typeof addedTokenSchema>;

/** A token, or text between tokens. */
export type TokenOrText = { readonly token: AddedToken } | { readonly text: string };

const SPACES_AT_END = new RegExp(`[${classSource(SPACE)}]*$`, 'u');
const SPACES_AT_START = new RegExp(`^[${classSource(SPACE)}]*`, 'u');

export class AddedTokens {
  readonly #raw: TokenFinder;
  readonly #normalized: TokenFinder;
  readonly #normalize: Normalizer;

  constructor(tokens: readonly AddedToken[], normalize: Normalizer) {
    const isNormalized = ({ normalized, special }: AddedToken) => normalized ?? !special;
    this.#raw = new TokenFinder(tokens.filter((token) => !isNormalized(token)).map((token) => [token.content, token]));
    this.#normalized = new TokenFinder(tokens.filter(isNormalized).map((token) => [normalize(token.content), token]));
    this.#normalize = normalize;
  }

  /**
   * The tokens of a text, and the normalized text between them.
   * @param specials whether special tokens are found; otherwise their text stays text
   */
  split(text: string, specials: boolean): TokenOrText[] {
    return this.#raw.split(text, specials).flatMap((part) => {
      return 'token' in part ? [part] : this.#normalized.split(this.#normalize(part.text), specials);
    });
  }
}

class TokenFinder {
  readonly #tokens: ReadonlyMap<string, AddedToken>;
  readonly #pattern: RegExp | null;

  /** @param entries texts and the tokens that they stand for; of equal texts the last one counts */
  constructor(entries: readonly (readonly [string, AddedToken])[]) {
    this.#tokens = new Map(entries.filter(([text]) => text !== ''));
    // Leftmost first, and of those that begin at one place the longest.
    const longestFirst = [...this.#tokens.keys()].sort((a, b) => b.length - a.length);
    const sources = longestFirst.map(literalSource);
    this.#pattern = sources.length === 0 ? null : new RegExp(sources.join('|'), 'gu');
  }

  split(text: string, specials: boolean): TokenOrText[] {
    const parts: TokenOrText[] = [];
    let last = 0;
    for (const { index, 0: match } of this.#pattern === null ? [] : text.matchAll(this.#pattern)) {
      const token = this.#tokens.get(match)!;
      if (token.special && !specials) continue;
      let [start, end] = [index, index + match.length];
      if (token.lstrip) start = Math.max(SPACES_AT_END.exec(text.slice(last, start))!.index + last, last);
      if (token.rstrip) end += SPACES_AT_START.exec(text.slice(end))![0].length;
      if (start > last) parts.push({ text: text.slice(last, start) });
      parts.push({ token });
      last = end;
    }
    if (last < text.length) parts.push({ text: text.slice(last) });
    return parts;
  }
}
