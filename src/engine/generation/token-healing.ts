/**
 * Takes the last token of a prompt back, and lets the completion begin with it.
 *
 * Text that is cut anywhere ends inside a token. Code goes on with "\n   " and " return", and not with "\n    " and
 * "return".
 */
import type { Adjustment } from '../../model/model.ts';
import type { TextKind, Tokenizer } from '../tokenizer/tokenizer.ts';

/** How what is written begins. */
export interface Beginning {
  /** What of the prompt was taken back: the first token begins so, and these bytes of it are not written again. */
  readonly bytes: Uint8Array;
  /** For the first token's choice: none that begins otherwise can win. */
  readonly lift: Adjustment;
}

export interface HealedPrompt {
  readonly ids: Int32Array; // (P)
  /** Null where the prompt's last token stays: no other one begins as it does. */
  readonly beginning: Beginning | null;
}

const SPACE = 0x20;
const TAB = 0x09;
/** More than logits differ by. */
const LIFT = 1000;
/** Of the tokens that begin with a space, which are half of a vocabulary, the most frequent: byte-level BPE numbers them so. */
const MOST_TOKENS = 8192;

/**
 * Of spaces at the end only the last one is taken back: it belongs to the word that follows, the others to the line break.
 * `healed` of the recipe's infill.py does the same in training.
 * @param ids (P) of the text, encoded as this kind
 */
export function healPrompt(text: string, ids: Int32Array, kind: TextKind, tokenizer: Tokenizer): HealedPrompt {
  const token = tokenizer.bytes(ids.at(-1) ?? -1);
  const last = token.at(-1);
  // A special token, or the end of a character.
  if (last === undefined || isContinuation(token[0])) return { ids, beginning: null };
  const blank = last === SPACE || last === TAB;
  const bytes = blank ? token.slice(-1) : token.slice();
  const starts = tokenizer.beginningWith(bytes);
  if (starts.length < 2) return { ids, beginning: null };
  const allowed = starts.subarray(0, MOST_TOKENS);
  const kept = blank ? tokenizer.encode(text.slice(0, -1), kind) : ids.subarray(0, -1);
  return {
    ids: kept,
    beginning: { bytes, lift: { ids: allowed, deltas: new Float32Array(allowed.length).fill(LIFT) } },
  };
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

/** Of a text that does not begin in its prompt. */
export const NOTHING: Uint8Array = new Uint8Array();

/** What of a token's bytes is written: null for one that does not begin as it has to. */
export function withoutBeginning(token: Uint8Array, beginning: Uint8Array): Uint8Array | null {
  return beginning.every((byte, i) => token[i] === byte) ? token.subarray(beginning.length) : null;
}
