import { withLineBreaks, withLineFeeds } from './line-breaks.ts';

/** A stop string as it may stand in a text. */
interface Spelling {
  readonly text: string;
  /** As it was asked for. */
  readonly stop: string;
}

/**
 * Watches a text that arrives in pieces for stop strings. The result does not depend on how the text was cut. The stop
 * string that is complete first ends the text. If several end together, the longest one does. A line break of a stop string
 * is found as a line feed, and as a carriage return with a line feed.
 */
export class StopStrings {
  readonly #stops: readonly Spelling[];
  /** The end of the text so far that could be the beginning of a stop string. */
  #held = '';

  /** @param stops empty ones are ignored */
  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop.length > 0).flatMap(spellings);
  }

  /**
   * @returns text that can no longer become part of a stop string, and the stop string that was found; then `text` is
   * what stood before it, and nothing may be pushed any more.
   */
  push(piece: string): { readonly text: string; readonly stop: string | null } {
    const text = this.#held + piece;
    const found = this.#find(text);
    if (found) {
      this.#held = '';
      return { text: text.slice(0, found.start), stop: found.stop };
    }
    const settled = text.length - this.#partialLength(text);
    this.#held = text.slice(settled);
    return { text: text.slice(0, settled), stop: null };
  }

  /** What is still held back, once no more text will come. */
  flush(): string {
    const held = this.#held;
    this.#held = '';
    return held;
  }

  /** The stop string that is complete first, and where it begins. */
  #find(text: string): { readonly start: number; readonly stop: string } | null {
    let found: { readonly start: number; readonly stop: string } | null = null;
    let end = Number.POSITIVE_INFINITY;
    for (const { text: spelling, stop } of this.#stops) {
      const start = text.indexOf(spelling);
      if (start < 0) continue;
      const ends = start + spelling.length;
      if (ends < end || (ends === end && found !== null && start < found.start)) {
        found = { start, stop };
        end = ends;
      }
    }
    return found;
  }

  /** Length of the longest end of the text that begins a stop string. */
  #partialLength(text: string): number {
    const longest = Math.max(0, ...this.#stops.map(({ text: spelling }) => spelling.length - 1));
    for (let length = Math.min(longest, text.length); length > 0; length--) {
      const tail = text.slice(-length);
      if (this.#stops.some(({ text: stop }) => stop.length > length && stop.startsWith(tail))) return length;
    }
    return 0;
  }
}

/** The stop string as it is, then with either line break. */
function spellings(stop: string): Spelling[] {
  const feeds = withLineFeeds(stop);
  return [...new Set([stop, feeds, withLineBreaks(feeds, '\r\n')])].map((text) => ({ text, stop }));
}
