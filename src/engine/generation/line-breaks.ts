/** Line breaks: the model reads and writes line feeds, as in training. A file keeps its own. */

export type LineBreak = '\n' | '\r\n' | '\r';

const RETURN = 0x0d;
const FEED = 0x0a;

/**
 * What a line break between two texts of a file is written as: the nearest one before the place, else the first one after it. A
 * lone carriage return counts only in a file without line feeds, as it may stand in a line too. A file of one line has line
 * feeds.
 */
export function lineBreakAt(before: string, after: string): LineBreak {
  const text = before + after;
  const last = before.lastIndexOf('\n');
  const at = last >= 0 ? last : text.indexOf('\n', before.length);
  if (at >= 0) return text[at - 1] === '\r' ? '\r\n' : '\n';
  return text.includes('\r') ? '\r' : '\n';
}

/** The text with every line break as a line feed, a lone carriage return too. */
export function withLineFeeds(text: string): string {
  return text.replace(/\r\n?/g, '\n');
}

/** A text of line feeds with a file's own line breaks. */
export function withLineBreaks(text: string, lineBreak: LineBreak): string {
  return lineBreak === '\n' ? text : text.replaceAll('\n', lineBreak);
}

/** A file around a hole, in line feeds, and what its line breaks are. */
export interface FileAroundHole {
  readonly prefix: string;
  readonly suffix: string;
  readonly lineBreak: LineBreak;
}

/** A line break that the hole cuts in two stands after the hole. */
export function fileAroundHole(prefix: string, suffix: string): FileAroundHole {
  const cut = prefix.endsWith('\r') && suffix.startsWith('\n');
  return {
    prefix: withLineFeeds(cut ? prefix.slice(0, -1) : prefix),
    suffix: withLineFeeds(suffix),
    lineBreak: lineBreakAt(prefix, suffix),
  };
}

/** Reads a text that comes in pieces, with line feeds for its line breaks. A pair may be in two pieces. */
export class LineFeeds {
  #afterReturn = false;

  read(piece: string): string {
    if (piece === '') return '';
    const rest = this.#afterReturn && piece.startsWith('\n') ? piece.slice(1) : piece;
    this.#afterReturn = piece.endsWith('\r');
    return withLineFeeds(rest);
  }
}

/** Shows the bytes of single tokens with a file's own line breaks. So tokens in a row are the text. */
export class TokenLineBreaks {
  readonly #lineBreak: Uint8Array;
  #afterReturn = false;

  constructor(lineBreak: LineBreak) {
    this.#lineBreak = new TextEncoder().encode(lineBreak);
  }

  /** The bytes as they stand in the text after the tokens that were passed. A line feed after a carriage return is nothing. */
  show(bytes: Uint8Array): Uint8Array {
    if (!bytes.some(isBreak)) return bytes;
    const follows = (i: number) => (i === 0 ? this.#afterReturn : bytes[i - 1] === RETURN);
    const shown = [...bytes].flatMap((byte, i) => {
      if (!isBreak(byte)) return [byte];
      return byte === FEED && follows(i) ? [] : [...this.#lineBreak];
    });
    return Uint8Array.from(shown);
  }

  /** The next token stands after these bytes. */
  pass(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#afterReturn = bytes.at(-1) === RETURN;
  }
}

function isBreak(byte: number): boolean {
  return byte === FEED || byte === RETURN;
}
