/** Watches a hole that begins on an empty line: its text may be the line after the hole, and nothing else. */

/** A shorter line, such as a closing bracket or `end`, may well stand twice in a row. */
const SHORTEST_LINE = 6;
/** Two words, or a call: a shorter line of these says something too. */
const STATEMENT = /\w\W+\w|\w\(/;

/**
 * The line of the suffix that the hole may begin with again, as the hole's text would have it.
 * @param prefix in line feeds, like the suffix
 * @returns null where the hole begins within a line, or its line goes on after it
 */
export function lineAfter(prefix: string, suffix: string): string | null {
  const indent = prefix.slice(prefix.lastIndexOf('\n') + 1);
  if (indent.trim() !== '') return null;
  // What is left of the hole's own line, then blank lines, then the line.
  const line = /^(?:[^\S\n]*\n)+([^\n]*\S)/.exec(suffix)?.[1];
  if (!line?.startsWith(indent)) return null;
  const code = line.trim();
  return code.length >= SHORTEST_LINE || STATEMENT.test(code) ? line.slice(indent.length) : null;
}

/** Holds the beginning of a text back while it may be a line that must not be repeated. */
export class RepeatedLine {
  readonly #line: string | null;
  #held = '';
  #differs: boolean;

  /** @param line null: none */
  constructor(line: string | null) {
    this.#line = line;
    this.#differs = line === null;
  }

  /** @returns text that goes on otherwise, and the line if the text was that: then nothing may be pushed any more */
  push(piece: string): { readonly text: string; readonly repeated: string | null } {
    if (this.#differs) return { text: piece, repeated: null };
    const text = this.#held + piece;
    const whole = `${this.#line}\n`;
    if (text.startsWith(whole)) {
      this.#held = '';
      return { text: '', repeated: this.#line };
    }
    this.#differs = !whole.startsWith(text);
    this.#held = this.#differs ? '' : text;
    return { text: this.#differs ? text : '', repeated: null };
  }

  /** What is left once no more text will come: nothing where it is the line. */
  flush(): string {
    const held = this.#held;
    this.#held = '';
    return held === this.#line ? '' : held;
  }
}
