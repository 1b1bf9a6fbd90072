/** Reads the tokenizer files of a Hugging Face directory. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ConversionError, type TokenizerFacts } from '../checkpoint.ts';
import { readJsonFile } from '../json-file.ts';
import { completeAddedTokens, NAMES, type TokenizerFiles, tokenSchema } from './added-tokens.ts';

const namedTemplate = z.looseObject({ name: z.string(), template: z.string() });
const tokenList = z.array(tokenSchema).optional().catch(undefined);
const namedTokens = z.looseObject({
  bos_token: tokenSchema.nullish(),
  eos_token: tokenSchema.nullish(),
  unk_token: tokenSchema.nullish(),
  sep_token: tokenSchema.nullish(),
  pad_token: tokenSchema.nullish(),
  cls_token: tokenSchema.nullish(),
  mask_token: tokenSchema.nullish(),
  /** Two names of one list; the second is the newer one. */
  additional_special_tokens: tokenList,
  extra_special_tokens: tokenList,
  /** One, or several of which `default` is for chats. */
  chat_template: z.union([z.string(), z.array(namedTemplate)]).nullish(),
  added_tokens_decoder: z.record(z.string(), tokenSchema).optional(),
});
type NamedTokens = Partial<z.infer<typeof namedTokens>>;

const byteLevelOnly = 'is not supported: only byte-level BPE is';
const tokenizerSchema = z.looseObject({
  added_tokens: z.array(z.looseObject({ id: z.int().nonnegative(), content: z.string() })).default([]),
  model: z.looseObject({
    type: z.literal('BPE', { error: ({ input }) => `${String(input)} ${byteLevelOnly}` }).optional(),
    byte_fallback: z.literal(false, `byte_fallback (SentencePiece) ${byteLevelOnly}`).nullish(),
    // Not copied: it has 100,000 entries and more.
    vocab: z.custom<Record<string, number>>(isVocabulary, 'must give the id of every token'),
  }),
});

function isVocabulary(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * @param rows of the embedding
 * @throws ConversionError if tokenizer.json is missing or is not one.
 */
export async function readHfTokenizer(
  directory: string,
  bosTokenId: number | undefined,
  rows = Number.POSITIVE_INFINITY,
): Promise<TokenizerFacts> {
  // The Rust library writes this file, and reads no Infinity.
  const json = await readJsonFile(directory, 'tokenizer.json', tokenizerSchema, JSON.parse);
  if (json === undefined) {
    const sentencePiece = existsSync(join(directory, 'tokenizer.model'));
    throw new ConversionError(
      sentencePiece
        ? `${directory} has tokenizer.model alone: SentencePiece is not supported, only the byte-level BPE of a tokenizer.json`
        : `${directory} has no tokenizer.json: save the tokenizer once with transformers' fast tokenizer`,
    );
  }
  const config: NamedTokens = (await readJsonFile(directory, 'tokenizer_config.json', namedTokens)) ?? {};
  const special: NamedTokens = (await readJsonFile(directory, 'special_tokens_map.json', namedTokens)) ?? {};
  const listed = await readJsonFile(directory, 'added_tokens.json', z.record(z.string(), z.int()));

  const files = filesBeside(config, special, new Map(Object.entries(listed ?? {})));
  const completed = completeAddedTokens(json.added_tokens, json.model.vocab, files, rows);
  // Files of published checkpoints disagree in spelling: the later ones here win.
  const addedTokens = new Map<string, number>();
  for (const { content, id } of json.added_tokens) addedTokens.set(content, id);
  for (const [content, id] of files.listed) addedTokens.set(content, id);
  for (const [id, { content }] of files.decoder ?? []) addedTokens.set(content, id);
  for (const { content, id } of completed) addedTokens.set(content, id);
  return {
    json: completed === json.added_tokens ? json : { ...json, added_tokens: completed },
    addedTokens,
    maskToken: (special.mask_token ?? config.mask_token)?.content,
    eosToken: (config.eos_token ?? special.eos_token)?.content,
    bosTokenId,
    chatTemplate: await readChatTemplate(directory, config, special),
  };
}

/** special_tokens_map.json counts where tokenizer_config.json is of a version that had no `added_tokens_decoder`. */
function filesBeside(config: NamedTokens, special: NamedTokens, listed: ReadonlyMap<string, number>): TokenizerFiles {
  const { added_tokens_decoder: decoder } = config;
  const sources = decoder === undefined ? { ...config, ...defined(special) } : config;
  return {
    decoder: decoder && new Map(Object.entries(decoder).map(([id, token]) => [Number(id), token])),
    listed,
    named: new Map(NAMES.flatMap((name) => (sources[name] ? [[name, sources[name]]] : []))),
    extra: sources.extra_special_tokens ?? sources.additional_special_tokens ?? [],
  };
}

function defined(tokens: NamedTokens): NamedTokens {
  return Object.fromEntries(Object.entries(tokens).filter(([, value]) => value !== undefined && value !== null));
}

/** The file of its own is the newer place, and wins. */
async function readChatTemplate(
  directory: string,
  { chat_template, ...config }: NamedTokens,
  special: NamedTokens,
): Promise<TokenizerFacts['chatTemplate']> {
  const textOf = (name: 'bos_token' | 'eos_token') => (special[name] ?? config[name])?.content ?? '';
  const own = await readFile(join(directory, 'chat_template.jinja'), 'utf8').catch(() => null);
  const listed = Array.isArray(chat_template)
    ? chat_template.find(({ name }) => name === 'default')?.template
    : chat_template;
  const template = own || listed;
  return template ? { template, bosToken: textOf('bos_token'), eosToken: textOf('eos_token') } : undefined;
}
