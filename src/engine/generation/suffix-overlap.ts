/** Cuts the end of a filled hole where it begins to repeat the suffix. */

/** Shortest text that counts as a repetition of the suffix. A single bracket may well belong to both sides. */
const SHORTEST = 2;
/** Longest end of the text that is held back for comparison. */
const LONGEST = 200;

/**
 * Watches the content of a hole for the text that follows the hole: a model that does not stop in time writes the
 * beginning of the suffix again. That repetition is cut.
 */
export class SuffixOverlap {
  readonly #suffix: string;
  #held = '';

  constructor(suffix: string) {
    this.#suffix = suffix.slice(0, LONGEST);
  }

  /** @returns text that cannot be part of a repetition */
  push(piece: string): string {
    const text = this.#held + piece;
    const settled = text.length - this.#overlap(text);
    this.#held = text.slice(settled);
    return text.slice(0, settled);
  }

  /** What is left once no more text will come: empty when it is a repetition. */
  flush(): string {
    const held = this.#held;
    this.#held = '';
    return held.length >= SHORTEST ? '' : held;
  }

  /** Length of the longest end of the text that the suffix begins with. */
  #overlap(text: string): number {
    for (let length = Math.min(this.#suffix.length, text.length); length > 0; length--) {
      if (this.#suffix.startsWith(text.slice(-length))) return length;
    }
    return 0;
  }
}
