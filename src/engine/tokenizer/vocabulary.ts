import { ModelLoadError } from '../../model/errors.ts';
import type { AddedToken } from './added-tokens.ts';
import type { Merges } from './bpe.ts';
import { byteOfChar } from './byte-alphabet.ts';

/** No vocabulary has so many. A list up to an id takes room for all ids below it. */
const MOST_IDS = 1 << 22;

/** The bytes of every token, back to back in one buffer. */
export class Vocabulary {
  readonly #bytes: Uint8Array;
  readonly #offsets: Uint32Array; // (V + 1)
  #index: ByteIndex | null = null;
  /** Bytes of the longest token. */
  readonly longest: number;

  /**
   * @param vocab byte-level BPE's token -> id
   * @param added special ones have no bytes, the others their text's
   * @throws ModelLoadError on a token outside the byte alphabet, or with an id that no vocabulary has
   */
  constructor(vocab: Readonly<Record<string, number>>, added: readonly AddedToken[]) {
    const tokens: (string | Uint8Array)[] = []; // (V)
    for (const token in vocab) tokens[requireId(token, vocab[token]!)] = token;
    const encoder = new TextEncoder();
    for (const { id, content, special } of added)
      tokens[requireId(content, id)] = special ? '' : encoder.encode(content);

    this.#offsets = new Uint32Array(tokens.length + 1);
    let [size, longest] = [0, 0];
    for (let id = 0; id < tokens.length; id++) {
      const { length } = tokens[id] ?? '';
      size += length;
      longest = Math.max(longest, length);
      this.#offsets[id + 1] = size;
    }
    this.longest = longest;
    this.#bytes = new Uint8Array(size);
    for (let id = 0; id < tokens.length; id++) {
      const token = tokens[id] ?? '';
      const start = this.#offsets[id]!;
      if (typeof token !== 'string') this.#bytes.set(token, start);
      else for (let i = 0; i < token.length; i++) this.#bytes[start + i] = alphabetByte(token, i);
    }
  }

  /** Ids of the tokens that begin so, ascending: (N). */
  beginningWith(beginning: Uint8Array): Int32Array {
    const found: number[] = [];
    for (let id = 0; id + 1 < this.#offsets.length; id++) {
      const start = this.#offsets[id]!;
      if (this.#offsets[id + 1]! - start < beginning.length) continue;
      let same = 0;
      while (same < beginning.length && this.#bytes[start + same] === beginning[same]) same++;
      if (same === beginning.length) found.push(id);
    }
    return Int32Array.from(found);
  }

  /** The token that has exactly these bytes, or -1. The first question builds an index: only some tokenizers ask. */
  idOf(bytes: Uint8Array): number {
    this.#index ??= new ByteIndex((id) => this.bytes(id), this.#offsets.length - 1);
    return this.#index.find(bytes);
  }

  /** A view of the token's bytes; empty for special tokens and for ids that no token has. */
  bytes(id: number): Uint8Array {
    // An id that the vocabulary does not have is no text.
    return this.#bytes.subarray(this.#offsets[id] ?? 0, this.#offsets[id + 1] ?? 0);
  }
}

/** From bytes to the token that has them: an open-addressed hash of ids. */
class ByteIndex {
  readonly #bytesOf: (id: number) => Uint8Array;
  /** id + 1, or 0 for empty. */
  readonly #slots: Int32Array; // (a power of two > 2 V)

  constructor(bytesOf: (id: number) => Uint8Array, count: number) {
    this.#bytesOf = bytesOf;
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * count + 2)));
    for (let id = 0; id < count; id++) {
      const bytes = bytesOf(id);
      if (bytes.length > 0) this.#slots[this.#slot(bytes)] ||= id + 1;
    }
  }

  find(bytes: Uint8Array): number {
    return this.#slots[this.#slot(bytes)]! - 1;
  }

  /** The slot that holds these bytes, or the empty one where they would go. */
  #slot(bytes: Uint8Array): number {
    const last = this.#slots.length - 1;
    let hash = 0x811c9dc5;
    for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
    for (let slot = hash & last; ; slot = (slot + 1) & last) {
      const id = this.#slots[slot]! - 1;
      if (id < 0 || equal(this.#bytesOf(id), bytes)) return slot;
    }
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/**
 * Merges by id instead of by string.
 * @param merges `["a", "b"]` or `"a b"`, best first
 * @throws ModelLoadError on a merge whose parts or result are not in the vocabulary
 */
export function readMerges(
  merges: readonly (string | readonly [string, string])[],
  vocab: Readonly<Record<string, number>>,
): Merges {
  const left = new Int32Array(merges.length);
  const right = new Int32Array(merges.length);
  const merged = new Int32Array(merges.length);
  const idOf = (token: string) => {
    const id = Object.hasOwn(vocab, token) ? vocab[token] : undefined;
    if (id === undefined) throw new ModelLoadError(`tokenizer.json: a merge names ${JSON.stringify(token)}, no token`);
    return id;
  };
  for (const [rank, merge] of merges.entries()) {
    const [a = '', b = ''] = typeof merge === 'string' ? merge.split(' ', 2) : merge;
    left[rank] = idOf(a);
    right[rank] = idOf(b);
    merged[rank] = idOf(a + b);
  }
  return { left, right, merged };
}

function requireId(token: string, id: number): number {
  if (Number.isInteger(id) && id >= 0 && id < MOST_IDS) return id;
  throw new ModelLoadError(
    `tokenizer.json: ${JSON.stringify(token.slice(0, 64))} has the id ${id}, not one below ${MOST_IDS}`,
  );
}

function alphabetByte(token: string, index: number): number {
  const byte = byteOfChar[token.charCodeAt(index)] ?? -1;
  if (byte < 0) throw new ModelLoadError(`tokenizer.json: ${JSON.stringify(token)} is not byte-level BPE`);
  return byte;
}
