import { Tokenizer as HuggingFaceTokenizer, Model } from '@huggingface/tokenizers';
import { z } from 'zod';
import { ModelLoadError } from '../../model/errors.ts';
import { BytePairEncoder } from './bpe.ts';
import { byteOfChar } from './byte-alphabet.ts';
import { readMerges, Vocabulary } from './vocabulary.ts';

export interface Tokenizer {
  /** Ids of a text. The text of a special token becomes that token, but the mask's stays ordinary text. */
  encode(text: string): Int32Array; // (P)
  /** UTF-8 fragment of a token; empty for special tokens. Not to be written to. */
  bytes(id: number): Uint8Array;
  /** Ids of all tokens, special ones aside, whose bytes begin so; ascending. @param bytes one at least */
  beginningWith(bytes: Uint8Array): Int32Array; // (N)
  /** Bytes that one token stands for at most, the text of special ones included. */
  readonly longestToken: number;
}

// The vocabulary and the merges are checked where they are read: zod would copy 100,000 entries.
const tokenizerSchema = z.looseObject({
  added_tokens: z.array(z.looseObject({ id: z.int().nonnegative(), content: z.string(), special: z.boolean() })),
  model: z.looseObject({
    type: z.literal('BPE'),
    vocab: z.custom<Record<string, number>>((value) => typeof value === 'object' && value !== null),
    merges: z.custom<readonly (string | readonly [string, string])[]>(Array.isArray),
  }),
});

/** Fields of the BPE model that change its meaning, and that this one does not implement. */
const UNSUPPORTED = [
  'byte_fallback',
  'continuing_subword_prefix',
  'dropout',
  'end_of_word_suffix',
  'ignore_merges',
  'unk_token',
] as const;

/**
 * A byte-level BPE tokenizer from a parsed tokenizer.json, of which nothing is kept: 2 MB instead of 17.
 *
 * @huggingface/tokenizers does the normalising, the added tokens and the pre-tokenizing; the merges run here.
 * Bytes that have no token of their own are dropped, as the Rust library does.
 * @param maskTokenId its text in a prompt must not become a mask
 * @throws ModelLoadError when the file is not a tokenizer or not byte-level BPE
 */
export function loadTokenizer(tokenizerJson: unknown, maskTokenId: number): Tokenizer {
  const parsed = tokenizerSchema.safeParse(tokenizerJson);
  if (!parsed.success) throw new ModelLoadError(`tokenizer.json: ${z.prettifyError(parsed.error)}`);
  const unsupported = UNSUPPORTED.filter((field) => parsed.data.model[field]);
  if (unsupported.length > 0) throw new ModelLoadError(`tokenizer.json: unsupported ${unsupported.join(', ')}`);
  return new ByteLevelTokenizer(parsed.data, maskTokenId);
}

/** Stands in for the library's BPE: hands the pre-tokens back. */
class PreTokensOnly extends Model {
  encode(preTokens: string[]): string[] {
    return preTokens;
  }
}

class ByteLevelTokenizer implements Tokenizer {
  readonly #splitter: HuggingFaceTokenizer;
  readonly #addedIds: ReadonlyMap<string, number>;
  readonly #vocabulary: Vocabulary;
  readonly #encoder: BytePairEncoder;
  /** Character of the byte alphabet -> id of its token, or -1. */
  readonly #idOfChar: Int32Array;
  readonly longestToken: number;

  constructor(json: z.infer<typeof tokenizerSchema>, maskTokenId: number) {
    const { vocab, merges } = json.model;
    const added = json.added_tokens.filter((token) => token.id !== maskTokenId);
    const emptyModel = { type: 'BPE', vocab: {}, merges: [], ignore_merges: false } as const;
    this.#splitter = new HuggingFaceTokenizer({ ...json, added_tokens: added, model: emptyModel }, {});
    this.#splitter.model = new PreTokensOnly({ ...emptyModel, merges: [] });
    this.#addedIds = new Map(added.map(({ content, id }) => [content, id]));
    this.#vocabulary = new Vocabulary(vocab, json.added_tokens);
    this.longestToken = Math.max(this.#vocabulary.longest, ...added.map(({ content }) => utf8Length(content)));
    this.#encoder = new BytePairEncoder(readMerges(merges, vocab));
    this.#idOfChar = Int32Array.from(byteOfChar, (byte, char) =>
      byte < 0 ? -1 : (vocab[String.fromCharCode(char)] ?? -1),
    );
  }

  encode(text: string): Int32Array {
    const ids: number[] = [];
    for (const piece of this.#splitter.tokenize(text, { add_special_tokens: true })) {
      const added = this.#addedIds.get(piece);
      if (added !== undefined) ids.push(added);
      else for (const id of this.#encoder.merge(this.#symbols(piece))) ids.push(id);
    }
    return Int32Array.from(ids);
  }

  bytes(id: number): Uint8Array {
    return this.#vocabulary.bytes(id);
  }

  beginningWith(bytes: Uint8Array): Int32Array {
    return this.#vocabulary.beginningWith(bytes);
  }

  /** Single-byte ids of a pre-token, which is in the byte alphabet. */
  #symbols(preToken: string): Int32Array {
    const symbols = new Int32Array(preToken.length);
    let length = 0;
    for (let i = 0; i < preToken.length; i++) {
      const id = this.#idOfChar[preToken.charCodeAt(i)] ?? -1;
      if (id >= 0) symbols[length++] = id;
    }
    return symbols.subarray(0, length);
  }
}

function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length;
}
