import type { Tokenizer } from '../../../src/engine/tokenizer/tokenizer.ts';

/** Ids after the 256 bytes. */
export const EOS = 256;
export const MASK = 257;
export const START = 258;
export const BYTE_VOCAB_SIZE = 259;

/** One token per UTF-8 byte; the special tokens have no text. */
export class ByteTokenizer implements Tokenizer {
  readonly longestToken = 1;
  readonly firstTokens: readonly number[] = [];

  protect(text: string): string {
    return text;
  }

  encode(text: string): Int32Array {
    return Int32Array.from(new TextEncoder().encode(text));
  }

  bytes(id: number): Uint8Array {
    return id < 256 ? Uint8Array.of(id) : new Uint8Array();
  }

  beginningWith([first, ...others]: Uint8Array): Int32Array {
    return others.length > 0 || first === undefined ? new Int32Array() : Int32Array.of(first);
  }
}
