/**
 * Text to ids and ids to bytes: byte-level BPE, with the ids of the Rust library `tokenizers`.
 *
 * The package @huggingface/tokenizers is not used here. It takes digits, punctuation and white space by the classes of the
 * JavaScript host, trims around added tokens by them, and knows two of the five ways to split.
 */
import { z } from 'zod';
import { ModelLoadError } from '../../model/errors.ts';
import { type AddedToken, AddedTokens, addedTokenSchema } from './added-tokens.ts';
import { BytePairEncoder } from './bpe.ts';
import { byteOfChar } from './byte-alphabet.ts';
import { firstTokens } from './first-tokens.ts';
import { createNormalizer } from './normalizer.ts';
import { PatternError } from './pattern.ts';
import { createPreTokenizer, type PreTokenizer } from './pre-tokenizer.ts';
import { TextGuard, unprotected } from './text-guard.ts';
import { readMerges, Vocabulary } from './vocabulary.ts';

/**
 * What a text is, which decides the special tokens that its encoding may hold.
 * - `prompt`: a raw prompt. The text of a special token becomes that token, and the tokenizer's first tokens (BOS) come
 *   before it.
 * - `frame`: text that a template has written. The same without the first tokens, which the template writes itself.
 * - `content`: somebody's text inside a frame or a hole. No special token comes out of it.
 */
export type TextKind = 'prompt' | 'frame' | 'content';

export interface Tokenizer {
  /** Ids of a text. The mask's text stays ordinary text in every kind. */
  encode(text: string, kind: TextKind): Int32Array; // (P)
  /** UTF-8 fragment of a token; empty for special tokens. Not to be written to. */
  bytes(id: number): Uint8Array;
  /** Ids of all tokens, special ones aside, whose bytes begin so; ascending. @param bytes one at least */
  beginningWith(bytes: Uint8Array): Int32Array; // (N)
  /** Bytes that one token stands for at most, the text of special ones included. */
  readonly longestToken: number;
  /** The tokens before every prompt (BOS): most often one or none. */
  readonly firstTokens: readonly number[];
  /** A text for a template to put into a frame: `encode` takes none of its characters for a special token. */
  protect(text: string): string;
}

// The vocabulary and the merges are checked where they are read: zod would copy 100,000 entries.
const tokenizerSchema = z.looseObject({
  added_tokens: z.array(addedTokenSchema),
  normalizer: z.unknown().optional(),
  pre_tokenizer: z.unknown().optional(),
  post_processor: z.unknown().optional(),
  model: z.looseObject({
    /** Files of the first versions have no type. */
    type: z.literal('BPE').optional(),
    vocab: z.custom<Record<string, number>>((value) => typeof value === 'object' && value !== null),
    merges: z.custom<readonly (string | readonly [string, string])[]>(Array.isArray),
    unk_token: z.string().nullish(),
    fuse_unk: z.boolean().nullish(),
    ignore_merges: z.boolean().nullish(),
  }),
});
type TokenizerJson = z.output<typeof tokenizerSchema>;

/** Fields of the BPE model that change its meaning, and that this one does not implement. */
const UNSUPPORTED = ['byte_fallback', 'continuing_subword_prefix', 'dropout', 'end_of_word_suffix'] as const;

/**
 * A byte-level BPE tokenizer from a parsed tokenizer.json, of which nothing is kept: 2 MB instead of 17.
 * @param maskTokenId its text in a prompt must not become a mask
 * @param markers ids that frames are made of. They are special whatever the file says: Qwen2.5-Coder's calls its own plain text
 * @throws ModelLoadError when the file is not a tokenizer, not byte-level BPE, or has a rule that is not supported
 */
export function loadTokenizer(tokenizerJson: unknown, maskTokenId: number, markers: readonly number[] = []): Tokenizer {
  const parsed = tokenizerSchema.safeParse(tokenizerJson);
  if (!parsed.success) throw new ModelLoadError(`tokenizer.json: ${z.prettifyError(parsed.error)}`);
  const unsupported = UNSUPPORTED.filter((field) => parsed.data.model[field]);
  if (unsupported.length > 0) throw new ModelLoadError(`tokenizer.json: unsupported ${unsupported.join(', ')}`);
  try {
    const added_tokens = parsed.data.added_tokens.map((token) => asMarker(token, markers));
    return new ByteLevelTokenizer({ ...parsed.data, added_tokens }, maskTokenId);
  } catch (error) {
    if (error instanceof PatternError) throw new ModelLoadError(`tokenizer.json: ${error.message}`);
    throw error;
  }
}

function asMarker(token: AddedToken, markers: readonly number[]): AddedToken {
  if (token.special || !markers.includes(token.id)) return token;
  return { ...token, special: true, normalized: token.normalized ?? true };
}

class ByteLevelTokenizer implements Tokenizer {
  readonly #added: AddedTokens;
  readonly #cut: PreTokenizer;
  readonly #vocabulary: Vocabulary;
  readonly #encoder: BytePairEncoder;
  /** Byte -> id of its token, or -1. */
  readonly #idOfByte: Int32Array; // (256)
  readonly #wholeWords: boolean;
  readonly #unknown: { readonly id: number; readonly fused: boolean } | null;
  readonly #utf8 = new TextEncoder();
  readonly longestToken: number;
  readonly firstTokens: readonly number[];
  readonly #guard: TextGuard;

  constructor({ added_tokens, model, ...rules }: TokenizerJson, maskTokenId: number) {
    const { vocab, merges, unk_token, fuse_unk, ignore_merges } = model;
    const added = added_tokens.filter((token) => token.id !== maskTokenId);
    this.#added = new AddedTokens(added, createNormalizer(rules.normalizer));
    this.#cut = createPreTokenizer(rules.pre_tokenizer);
    this.firstTokens = firstTokens(rules.post_processor);
    this.#vocabulary = new Vocabulary(vocab, added_tokens);
    this.longestToken = Math.max(
      this.#vocabulary.longest,
      ...added.map(({ content }: AddedToken) => this.#utf8.encode(content).length),
    );
    this.#guard = new TextGuard(added.filter(({ special }) => special).map(({ content }) => content));
    this.#encoder = new BytePairEncoder(readMerges(merges, vocab));
    this.#idOfByte = new Int32Array(256).fill(-1);
    for (const [char, byte] of byteOfChar.entries()) {
      if (byte >= 0) this.#idOfByte[byte] = vocab[String.fromCharCode(char)] ?? -1;
    }
    this.#wholeWords = ignore_merges === true;
    const unknown = unk_token == null ? undefined : vocab[unk_token];
    if (unk_token != null && unknown === undefined) throw new PatternError(`unk_token ${unk_token} is no token`);
    this.#unknown = unknown === undefined ? null : { id: unknown, fused: fuse_unk === true };
  }

  encode(text: string, kind: TextKind): Int32Array {
    const ids: number[] = kind === 'prompt' ? [...this.firstTokens] : [];
    for (const part of this.#added.split(text, kind !== 'content')) {
      if ('token' in part) ids.push(part.token.id);
      else
        for (const word of this.#cut(kind === 'frame' ? unprotected(part.text) : part.text))
          this.#encodeWord(word, ids);
    }
    return Int32Array.from(ids);
  }

  protect(text: string): string {
    return this.#guard.protect(text);
  }

  bytes(id: number): Uint8Array {
    return this.#vocabulary.bytes(id);
  }

  beginningWith(bytes: Uint8Array): Int32Array {
    return this.#vocabulary.beginningWith(bytes);
  }

  #encodeWord(word: string, ids: number[]): void {
    const bytes = this.#utf8.encode(word);
    const whole = this.#wholeWords ? this.#vocabulary.idOf(bytes) : -1;
    if (whole >= 0) ids.push(whole);
    else for (const id of this.#encoder.merge(this.#symbols(bytes))) ids.push(id);
  }

  /** Ids of single bytes. A byte without a token is dropped, or becomes the unknown token where there is one. */
  #symbols(bytes: Uint8Array): Int32Array {
    const symbols = new Int32Array(bytes.length);
    let length = 0;
    let wasUnknown = false;
    for (const byte of bytes) {
      const id = this.#idOfByte[byte]!;
      if (id >= 0) symbols[length++] = id;
      else if (this.#unknown !== null && !(wasUnknown && this.#unknown.fused)) symbols[length++] = this.#unknown.id;
      wasUnknown = id < 0;
    }
    return symbols.subarray(0, length);
  }
}
