/**
 * Watches a text that arrives in pieces for stop strings. What it finds does not depend on how the text was cut:
 * the stop string that is complete first ends the text, and of several that end together the longest.
 */
export class StopStrings {
  readonly #stops: readonly string[];
  /** The end of the text so far that could be the beginning of a stop string. */
  #held = '';

  /** @param stops empty ones are ignored */
  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop.length > 0);
  }

  /**
   * @returns text that can no longer become part of a stop string, and whether one was found; then `text` is
   * what stood before it, and nothing may be pushed any more.
   */
  push(piece: string): { readonly text: string; readonly stopped: boolean } {
    const text = this.#held + piece;
    const start = this.#find(text);
    if (start >= 0) {
      this.#held = '';
      return { text: text.slice(0, start), stopped: true };
    }
    const settled = text.length - this.#partialLength(text);
    this.#held = text.slice(settled);
    return { text: text.slice(0, settled), stopped: false };
  }

  /** What is still held back, once no more text will come. */
  flush(): string {
    const held = this.#held;
    this.#held = '';
    return held;
  }

  /** Where the stop string that is complete first begins, or -1. */
  #find(text: string): number {
    let start = -1;
    let end = Number.POSITIVE_INFINITY;
    for (const stop of this.#stops) {
      const at = text.indexOf(stop);
      if (at < 0) continue;
      if (at + stop.length < end || (at + stop.length === end && at < start)) {
        start = at;
        end = at + stop.length;
      }
    }
    return start;
  }

  /** Length of the longest end of the text that begins a stop string. */
  #partialLength(text: string): number {
    const longest = Math.max(0, ...this.#stops.map((stop) => stop.length - 1));
    for (let length = Math.min(longest, text.length); length > 0; length--) {
      const tail = text.slice(-length);
      if (this.#stops.some((stop) => stop.length > length && stop.startsWith(tail))) return length;
    }
    return 0;
  }
}
