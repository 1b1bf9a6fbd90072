/** Writes the byte-level BPE of a GGUF file's metadata as a Hugging Face tokenizer.json. */
import { z } from 'zod';
import { ConversionError, type TokenizerFacts } from '../checkpoint.ts';
import { checkJson } from '../json-file.ts';
import { WORD_SPLITS } from './word-splits.ts';

/** GGML's token types. */
const UNKNOWN = 2;
const CONTROL = 3;
const USER_DEFINED = 4;
const UNUSED = 5;

const tokenId = z.int().nonnegative().optional();
const metadataSchema = z.looseObject({
  'tokenizer.ggml.model': z.literal('gpt2', 'only byte-level BPE (gpt2) is understood'),
  'tokenizer.ggml.pre': z.string().default('default'),
  'tokenizer.ggml.tokens': z.array(z.string()),
  'tokenizer.ggml.token_type': z.array(z.int()),
  'tokenizer.ggml.merges': z.array(z.string()),
  'tokenizer.ggml.bos_token_id': tokenId,
  'tokenizer.ggml.eos_token_id': tokenId,
  'tokenizer.ggml.fim_pre_token_id': tokenId,
  'tokenizer.ggml.fim_suf_token_id': tokenId,
  'tokenizer.ggml.fim_mid_token_id': tokenId,
  'tokenizer.ggml.fim_sep_token_id': tokenId,
  // Names of the first versions.
  'tokenizer.ggml.prefix_token_id': tokenId,
  'tokenizer.ggml.suffix_token_id': tokenId,
  'tokenizer.ggml.middle_token_id': tokenId,
  'tokenizer.ggml.add_bos_token': z.boolean().optional(),
  'tokenizer.chat_template': z.string().optional(),
});

/** @throws ConversionError if the metadata holds another kind of tokenizer. */
export function readGgufTokenizer(metadata: Readonly<Record<string, unknown>>): TokenizerFacts {
  const checked = checkJson(metadata, 'GGUF metadata', metadataSchema);
  const pre = checked['tokenizer.ggml.pre'];
  const split = WORD_SPLITS.get(pre);
  if (split === undefined) {
    throw new ConversionError(
      `tokenizer.ggml.pre is "${pre}", whose split of text is not known here (${[...WORD_SPLITS.keys()].join(', ')}): ` +
        'convert the Hugging Face directory with its tokenizer.json instead',
    );
  }
  const tokens = checked['tokenizer.ggml.tokens'];
  const types = checked['tokenizer.ggml.token_type'];
  const vocab: Record<string, number> = {};
  const added: object[] = [];
  const addedTokens = new Map<string, number>();
  for (const [id, content] of tokens.entries()) {
    const type = types[id];
    // Padding of the vocabulary to a round size.
    if (type === UNUSED) continue;
    vocab[content] = id;
    if (type !== CONTROL && type !== USER_DEFINED && type !== UNKNOWN) continue;
    addedTokens.set(content, id);
    const special = type !== USER_DEFINED;
    added.push({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special });
  }
  const bosTokenId = checked['tokenizer.ggml.bos_token_id'];
  const addBos = checked['tokenizer.ggml.add_bos_token'] ?? split.addBos ?? false;
  const json = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: split.normalizer,
    pre_tokenizer: { type: 'Sequence', pretokenizers: split.pretokenizers },
    post_processor: addBos && bosTokenId !== undefined ? beginsWith(bosTokenId, textOf(tokens, bosTokenId)) : null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: split.ignoreMerges ?? false,
      vocab,
      merges: checked['tokenizer.ggml.merges'],
    },
  };
  const template = checked['tokenizer.chat_template'];
  const named = {
    bosToken: textOf(tokens, bosTokenId),
    eosToken: textOf(tokens, checked['tokenizer.ggml.eos_token_id']),
  };
  const chatTemplate = template ? { template, ...named } : undefined;
  return { json, addedTokens, bosTokenId, chatTemplate, infillIds: infillIds(checked) };
}

function textOf(tokens: readonly string[], id: number | undefined): string {
  return (id === undefined ? undefined : tokens[id]) ?? '';
}

/** A post-processor that puts one token before every prompt. */
function beginsWith(id: number, text: string): object {
  const sequence = (name: string, type_id: number) => ({ Sequence: { id: name, type_id } });
  const token = (type_id: number) => ({ SpecialToken: { id: text, type_id } });
  return {
    type: 'TemplateProcessing',
    single: [token(0), sequence('A', 0)],
    pair: [token(0), sequence('A', 0), token(1), sequence('B', 1)],
    special_tokens: { [text]: { id: text, ids: [id], tokens: [text] } },
  };
}

function infillIds(metadata: z.infer<typeof metadataSchema>): TokenizerFacts['infillIds'] {
  const prefix = metadata['tokenizer.ggml.fim_pre_token_id'] ?? metadata['tokenizer.ggml.prefix_token_id'];
  const suffix = metadata['tokenizer.ggml.fim_suf_token_id'] ?? metadata['tokenizer.ggml.suffix_token_id'];
  const middle = metadata['tokenizer.ggml.fim_mid_token_id'] ?? metadata['tokenizer.ggml.middle_token_id'];
  const fileSeparator = metadata['tokenizer.ggml.fim_sep_token_id'];
  if (prefix === undefined || suffix === undefined) return undefined;
  return {
    prefix,
    suffix,
    ...(middle !== undefined && { middle }),
    ...(fileSeparator !== undefined && { fileSeparator }),
  };
}
