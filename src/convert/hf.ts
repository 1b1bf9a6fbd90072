/** Opens a Hugging Face directory. */
import { z } from 'zod';
import { type Checkpoint, ConversionError } from './checkpoint.ts';
import { parseHfConfig } from './hf-config.ts';
import { readHfTokenizer } from './hf-tokenizer.ts';
import { readJsonFile } from './json-file.ts';
import { SafetensorsReader } from './safetensors.ts';

const generationSchema = z.looseObject({ eos_token_id: z.union([z.int(), z.array(z.int())]).nullish() });

/** @throws ConversionError if a file is missing, malformed or asks for something that is not supported. */
export async function openHuggingFace(directory: string): Promise<Checkpoint> {
  const json = await readJsonFile(directory, 'config.json', z.unknown());
  if (json === undefined) throw new ConversionError(`${directory} has no config.json`);
  const { decoder, semantics, bosTokenId } = parseHfConfig(json);
  const tokenizer = await readHfTokenizer(directory, bosTokenId);
  const generation = await readJsonFile(directory, 'generation_config.json', generationSchema);
  const eos = new Set([...(semantics.eosTokenIds ?? []), ...[generation?.eos_token_id ?? []].flat()]);
  return {
    decoder,
    semantics: { ...semantics, eosTokenIds: eos.size === 0 ? undefined : [...eos] },
    tokenizer,
    tensors: await SafetensorsReader.open(directory),
  };
}
