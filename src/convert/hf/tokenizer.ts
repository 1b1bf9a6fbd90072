/** Reads the tokenizer files of a Hugging Face directory. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ConversionError, type TokenizerFacts } from '../checkpoint.ts';
import { readJsonFile } from '../json-file.ts';

const tokenText = z.union([z.string(), z.looseObject({ content: z.string() }).transform((token) => token.content)]);
const namedTemplate = z.looseObject({ name: z.string(), template: z.string() });
const namedTokens = z.looseObject({
  bos_token: tokenText.nullish(),
  eos_token: tokenText.nullish(),
  /** One, or several of which `default` is for chats. */
  chat_template: z.union([z.string(), z.array(namedTemplate)]).nullish(),
  mask_token: tokenText.nullish(),
  added_tokens_decoder: z.record(z.string(), tokenText).optional(),
});
const tokenizerSchema = z.looseObject({
  added_tokens: z.array(z.looseObject({ id: z.int().nonnegative(), content: z.string() })).default([]),
  model: z.looseObject({ type: z.string().optional() }),
});

/** @throws ConversionError if tokenizer.json is missing or is not one. */
export async function readHfTokenizer(directory: string, bosTokenId: number | undefined): Promise<TokenizerFacts> {
  // The Rust library writes this file, and reads no Infinity.
  const json = await readJsonFile(directory, 'tokenizer.json', tokenizerSchema, JSON.parse);
  if (json === undefined) {
    throw new ConversionError(
      `${directory} has no tokenizer.json: save the tokenizer once with transformers' fast tokenizer`,
    );
  }
  const config = await readJsonFile(directory, 'tokenizer_config.json', namedTokens);
  const special = await readJsonFile(directory, 'special_tokens_map.json', namedTokens);
  const extra = await readJsonFile(directory, 'added_tokens.json', z.record(z.string(), z.int()));

  // Files of published checkpoints disagree in spelling: the later ones here win.
  const addedTokens = new Map<string, number>();
  for (const { content, id } of json.added_tokens) addedTokens.set(content, id);
  for (const [content, id] of Object.entries(extra ?? {})) addedTokens.set(content, id);
  for (const [id, content] of Object.entries(config?.added_tokens_decoder ?? {})) addedTokens.set(content, Number(id));
  return {
    json,
    addedTokens,
    maskToken: special?.mask_token ?? config?.mask_token ?? undefined,
    eosToken: config?.eos_token ?? special?.eos_token ?? undefined,
    bosTokenId,
    chatTemplate: await readChatTemplate(directory, { ...config, ...special, chat_template: config?.chat_template }),
  };
}

/** The file of its own is the newer place, and wins. */
async function readChatTemplate(
  directory: string,
  { chat_template, bos_token, eos_token }: Partial<z.infer<typeof namedTokens>>,
): Promise<TokenizerFacts['chatTemplate']> {
  const own = await readFile(join(directory, 'chat_template.jinja'), 'utf8').catch(() => null);
  const listed = Array.isArray(chat_template)
    ? chat_template.find(({ name }) => name === 'default')?.template
    : chat_template;
  const template = own || listed;
  return template ? { template, bosToken: bos_token ?? '', eosToken: eos_token ?? '' } : undefined;
}
