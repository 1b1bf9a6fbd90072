/** Writes the byte-level BPE of a GGUF file's metadata as a Hugging Face tokenizer.json. */
import { z } from 'zod';
import { ConversionError, type TokenizerFacts } from '../checkpoint.ts';
import { checkJson } from '../json-file.ts';

/** GGML's token types. */
const UNKNOWN = 2;
const CONTROL = 3;
const USER_DEFINED = 4;
const UNUSED = 5;

const metadataSchema = z.looseObject({
  'tokenizer.ggml.model': z.literal('gpt2', 'only byte-level BPE (gpt2) is understood'),
  'tokenizer.ggml.pre': z.string(),
  'tokenizer.ggml.tokens': z.array(z.string()),
  'tokenizer.ggml.token_type': z.array(z.int()),
  'tokenizer.ggml.merges': z.array(z.string()),
  'tokenizer.ggml.bos_token_id': z.int().optional(),
  'tokenizer.ggml.eos_token_id': z.int().optional(),
  'tokenizer.chat_template': z.string().optional(),
});

const QWEN2_SPLIT =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

const byteLevel = (use_regex: boolean) => ({
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: true,
  use_regex,
});

/** What `tokenizer.ggml.pre` stands for: GGUF names the split of text into words but does not hold it. */
const SPLITS: Readonly<Record<string, { normalizer: object | null; pretokenizers: object[] }>> = {
  smollm: { normalizer: null, pretokenizers: [{ type: 'Digits', individual_digits: true }, byteLevel(true)] },
  qwen2: {
    normalizer: { type: 'NFC' },
    pretokenizers: [
      { type: 'Split', pattern: { Regex: QWEN2_SPLIT }, behavior: 'Isolated', invert: false },
      byteLevel(false),
    ],
  },
};

/** @throws ConversionError if the metadata holds another kind of tokenizer. */
export function readGgufTokenizer(metadata: Readonly<Record<string, unknown>>): TokenizerFacts {
  const checked = checkJson(metadata, 'GGUF metadata', metadataSchema);
  const pre = checked['tokenizer.ggml.pre'];
  const split = SPLITS[pre];
  if (split === undefined) {
    throw new ConversionError(
      `tokenizer.ggml.pre is "${pre}", whose split of text is not known here (${Object.keys(SPLITS).join(', ')}): ` +
        'convert the Hugging Face directory with its tokenizer.json instead',
    );
  }
  const types = checked['tokenizer.ggml.token_type'];
  const vocab: Record<string, number> = {};
  const added: object[] = [];
  const addedTokens = new Map<string, number>();
  for (const [id, content] of checked['tokenizer.ggml.tokens'].entries()) {
    const type = types[id];
    // Padding of the vocabulary to a round size.
    if (type === UNUSED) continue;
    vocab[content] = id;
    if (type !== CONTROL && type !== USER_DEFINED && type !== UNKNOWN) continue;
    addedTokens.set(content, id);
    const special = type !== USER_DEFINED;
    added.push({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special });
  }
  const json = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: split.normalizer,
    pre_tokenizer: { type: 'Sequence', pretokenizers: split.pretokenizers },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab,
      merges: checked['tokenizer.ggml.merges'],
    },
  };
  const bosTokenId = checked['tokenizer.ggml.bos_token_id'];
  const textOf = (id: number | undefined) => (id === undefined ? '' : (checked['tokenizer.ggml.tokens'][id] ?? ''));
  const template = checked['tokenizer.chat_template'];
  const eosToken = textOf(checked['tokenizer.ggml.eos_token_id']);
  const chatTemplate = template ? { template, bosToken: textOf(bosTokenId), eosToken } : undefined;
  return { json, addedTokens, bosTokenId, chatTemplate };
}
