/** Opens a Hugging Face directory. */
import { basename } from 'node:path';
import { z } from 'zod';
import { type Checkpoint, ConversionError } from '../checkpoint.ts';
import { readJsonFile } from '../json-file.ts';
import { refuseDisguise } from '../semantics/architectures.ts';
import { parseHfConfig } from './config.ts';
import { SafetensorsReader } from './safetensors.ts';
import { readHfTokenizer } from './tokenizer.ts';

const generationSchema = z.looseObject({ eos_token_id: z.union([z.int(), z.array(z.int())]).nullish() });

/**
 * @param family the row of the table of families, where the files do not say
 * @param sourceName what the checkpoint is called where it comes from
 * @throws ConversionError if a file is missing, malformed or asks for something that is not supported.
 */
export async function openHuggingFace(
  directory: string,
  family?: string,
  sourceName = basename(directory),
): Promise<Checkpoint> {
  const json = await readJsonFile(directory, 'config.json', z.unknown());
  if (json === undefined) throw new ConversionError(`${directory} has no config.json`);
  const { decoder, semantics, bosTokenId, ...parsed } = parseHfConfig(json, { family, sourceName });
  const tokenizer = await readHfTokenizer(directory, bosTokenId, decoder.vocabSize);
  const told = family !== undefined || parsed.recorded;
  if (!told) refuseDisguise(parsed.family, parsed.architectures, tokenizer.addedTokens);
  const generation = await readJsonFile(directory, 'generation_config.json', generationSchema);
  const eos = new Set([...(semantics.eosTokenIds ?? []), ...[generation?.eos_token_id ?? []].flat()]);
  const named = tokenizer.addedTokens.get(tokenizer.eosToken ?? '');
  if (named !== undefined) eos.add(named);
  return {
    family: parsed.family.name,
    familyMask: parsed.familyMask,
    decoder,
    semantics: { ...semantics, eosTokenIds: eos.size === 0 ? undefined : [...eos] },
    tokenizer,
    tensors: await SafetensorsReader.open(directory),
  };
}
