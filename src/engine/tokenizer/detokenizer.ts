import type { Tokenizer } from './tokenizer.ts';

/**
 * Ids to text, a few at a time. A character whose bytes are spread over tokens (or blocks) comes out with its last
 * byte; bytes that are no UTF-8 become U+FFFD. An unfinished character at the end is never emitted: a limit on
 * tokens can cut one in two, and half of it is not text.
 */
export class Detokenizer {
  readonly #tokenizer: Tokenizer;
  // A byte order mark inside a text is a character like any other.
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer;
  }

  /**
   * The text that this id completes; may be empty.
   * @param skipped leading bytes of it that are not part of the text
   */
  push(id: number, skipped = 0): string {
    return this.#decoder.decode(this.#tokenizer.bytes(id).subarray(skipped), { stream: true });
  }
}

/** The text of bytes; null for bytes that are not whole characters. */
export function wholeText(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** The text of ids as a whole; bytes that are no UTF-8 become U+FFFD, an unfinished character at the end too. */
export function textOf(ids: Iterable<number>, tokenizer: Tokenizer): string {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let text = '';
  for (const id of ids) text += decoder.decode(tokenizer.bytes(id), { stream: true });
  return text + decoder.decode();
}
