/**
 * A text as tokens that can be replaced one by one. Every other token stays as it was, byte for byte. The tokens have line feeds
 * for the code's line breaks; what is written gets the code's own, those nearest before it.
 */
import type { ModelConfig } from '../../model/config.ts';
import type { TokenEdit } from '../../sampler/editing/edited-tokens.ts';
import { commentLine } from '../comment-line.ts';
import { lineBreakAt, withLineBreaks, withLineFeeds } from '../generation/line-breaks.ts';
import { RequestError } from '../request.ts';
import { wholeText } from '../tokenizer/detokenizer.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { EditRequest, TextEdit } from './edit-request.ts';

/** In UTF-16 units of the code. */
interface Place {
  readonly start: number;
  readonly end: number;
}

export class EditableText {
  /** A start token, the instruction as a comment, the code. */
  readonly ids: Int32Array; // (N)
  /** Of instruction and code. */
  readonly promptTokens: number;
  readonly #code: string;
  readonly #tokenizer: Tokenizer;
  readonly #special: ReadonlySet<number>;
  /** Index of the code's first token. */
  readonly #first: number;
  /** Offset in the code at which each of its tokens begins, and its end; -1 inside a character. */
  readonly #offsets: Int32Array; // (tokens of the code + 1)
  readonly #region: Place;

  /** @throws RequestError `invalid_value` when the code is empty, is no text in tokens, or the region does not lie in it */
  constructor({ code, instruction, filename, region }: EditRequest, tokenizer: Tokenizer, config: ModelConfig) {
    if (code === '') throw new RequestError("'code' must not be empty.", 'invalid_value', 'code');
    this.#code = code;
    this.#tokenizer = tokenizer;
    this.#special = new Set([config.maskTokenId, config.startTokenId, ...config.eosTokenIds]);
    this.#region = region ?? { start: 0, end: code.length };
    requireWithin(this.#region, code.length);
    const comment =
      instruction === null ? new Int32Array() : tokenizer.encode(asComment(instruction, filename), 'content');
    const read = withLineFeeds(code);
    const ids = tokenizer.encode(read, 'content');
    this.#first = 1 + comment.length;
    // Not as arguments: a long text would overflow the stack before it can be refused.
    this.ids = Int32Array.from([config.startTokenId, ...comment, ...ids]);
    this.promptTokens = this.ids.length - 1;
    const offsets = tokenOffsets(read, ids, tokenizer);
    this.#offsets = read === code ? offsets : offsetsIn(code, offsets);
  }

  /** Whether an id may be written: one whose text is whole characters. */
  usable(id: number): boolean {
    if (this.#special.has(id)) return false;
    const bytes = this.#tokenizer.bytes(id);
    return bytes.length > 0 && wholeText(bytes) !== null;
  }

  /** Whether the token at an index of `ids` may be replaced: whole characters, all of them in the region. */
  editable(index: number): boolean {
    const at = index - this.#first;
    const [start = -1, end = -1] = this.#offsets.subarray(Math.max(at, 0), at + 2);
    return at >= 0 && start >= this.#region.start && end > start && end <= this.#region.end;
  }

  /**
   * Text of ids that are usable, or of whole tokens of the code.
   * @param place where in the code it stands, or is written: its line breaks are those of that place
   */
  text(ids: Int32Array, place: Place): string {
    const bytes = Uint8Array.from([...ids].flatMap((id) => [...this.#tokenizer.bytes(id)]));
    const text = wholeText(bytes);
    if (text === null) throw new Error('tokens were cut inside a character');
    const old = this.#code.slice(place.start, place.end);
    const read = withLineFeeds(text);
    if (read === withLineFeeds(old)) return old;
    return withLineBreaks(read, lineBreakAt(this.#code.slice(0, place.end), this.#code.slice(place.end)));
  }

  /** An edit of `ids` as one of the code. */
  edit({ start, end, ids, confidence, gain }: TokenEdit): TextEdit {
    const range = this.range(start, end);
    return {
      ...range,
      oldText: this.#code.slice(range.start, range.end),
      newText: this.text(ids, range),
      confidence,
      gain,
    };
  }

  /** Where the tokens from `start` to before `end` are in the code. */
  range(start: number, end: number): Place {
    return { start: this.#offset(start), end: this.#offset(end) };
  }

  /** The code with these edits, which are in order and apart; everything else as it was. */
  with(edits: readonly TextEdit[]): string {
    let text = '';
    let at = 0;
    for (const { start, end, newText } of edits) {
      text += this.#code.slice(at, start) + newText;
      at = end;
    }
    return text + this.#code.slice(at);
  }

  #offset(index: number): number {
    const offset = this.#offsets[index - this.#first] ?? -1;
    if (offset < 0) throw new Error('tokens were cut inside a character');
    return offset;
  }
}

function requireWithin({ start, end }: Place, length: number): void {
  const whole = Number.isSafeInteger(start) && Number.isSafeInteger(end);
  if (whole && start >= 0 && start <= end && end <= length) return;
  const message = `'region' must be whole numbers with 0 <= start <= end <= ${length}, not ${start} to ${end}.`;
  throw new RequestError(message, 'invalid_value', 'region');
}

function asComment(instruction: string, filename: string | null): string {
  return instruction
    .split(/\r\n|[\n\r\u2028\u2029]/)
    .map((line) => `${commentLine(line, filename)}\n`)
    .join('');
}

/**
 * Places in a text of line feeds as places in the code, whose line breaks may be pairs.
 * @param offsets (tokens + 1), -1 inside a character
 */
function offsetsIn(code: string, offsets: Int32Array): Int32Array {
  const units = Array.from(code.matchAll(/\r\n|[\s\S]/g), ({ index }) => index);
  units.push(code.length);
  return offsets.map((offset) => (offset < 0 ? -1 : units[offset]!));
}

/** @throws RequestError when the tokens' bytes are not the code's: a special token's text, or half a surrogate pair */
function tokenOffsets(code: string, ids: Int32Array, tokenizer: Tokenizer): Int32Array {
  const bytes = new TextEncoder().encode(code);
  const offsetOf = new Int32Array(bytes.length + 1).fill(-1); // byte -> UTF-16 unit, at starts of characters
  for (let byte = 0, unit = 0; byte <= bytes.length; ) {
    offsetOf[byte] = unit;
    // None at the end of the code, where the loop ends too.
    const codePoint = code.codePointAt(unit) ?? 0;
    byte += codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4;
    unit += codePoint < 0x10000 ? 1 : 2;
  }
  const offsets = new Int32Array(ids.length + 1);
  let at = 0;
  for (const [i, id] of ids.entries()) {
    const token = tokenizer.bytes(id);
    if (token.length === 0 || token.some((byte, k) => byte !== bytes[at + k])) at = Number.NaN;
    at += token.length;
    offsets[i + 1] = offsetOf[at] ?? -1;
  }
  if (at === bytes.length && code.isWellFormed()) return offsets;
  throw new RequestError(
    "'code' is not text that the model's tokens can spell: it holds the text of a special token or half a surrogate pair.",
    'invalid_value',
    'code',
  );
}
