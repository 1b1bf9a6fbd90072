/**
 * Somebody's text inside a frame. A template puts it between its own markers, and may trim it, cut it or look into it,
 * before the whole is encoded. So what would become a special token is broken by a character that no text has, and
 * mended once the tokens of the frame are found.
 */

import { literalSource } from './pattern.ts';

/** A noncharacter (Unicode 23.7): no text that is exchanged has it. One that does is written with the second after it. */
const ESCAPE = '\ufdd0';
const ITSELF = '\ufdd1';
const BREAK = '\ufdd2';

export class TextGuard {
  readonly #special: RegExp | null;

  /** @param specials texts of the special tokens */
  constructor(specials: readonly string[]) {
    // One character cannot be broken.
    const breakable = specials.filter((text) => [...text].length > 1).sort((a, b) => b.length - a.length);
    const sources = breakable.map(literalSource);
    this.#special = sources.length === 0 ? null : new RegExp(sources.join('|'), 'gu');
  }

  protect(text: string): string {
    let done = text.replaceAll(ESCAPE, ESCAPE + ITSELF);
    // What remains of a broken one may hold another.
    for (let before = ''; this.#special !== null && before !== done; ) {
      before = done;
      done = done.replace(this.#special, ([first, ...rest]) => first + ESCAPE + BREAK + rest.join(''));
    }
    return done;
  }
}

export function unprotected(text: string): string {
  return text.includes(ESCAPE) ? text.replaceAll(ESCAPE + BREAK, '').replaceAll(ESCAPE + ITSELF, ESCAPE) : text;
}
