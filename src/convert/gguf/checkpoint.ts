/** Opens a GGUF file. */
import { basename } from 'node:path';
import type { Checkpoint } from '../checkpoint.ts';
import { parseGgufConfig } from './config.ts';
import { GgufReader, ggufShapes, readGgufHeader } from './tensors.ts';
import { readGgufTokenizer } from './tokenizer.ts';

/** @throws ConversionError if the file is not a GGUF or asks for something that is not supported. */
export async function openGguf(path: string, family?: string): Promise<Checkpoint> {
  const header = await readGgufHeader(path);
  // The parser's own type enumerates architectures; what is read here is checked key by key.
  const metadata = header.metadata as unknown as Readonly<Record<string, unknown>>;
  const tokenizer = readGgufTokenizer(metadata);
  const hints = { family, sourceName: basename(path) };
  const { decoder, ...parsed } = parseGgufConfig(metadata, ggufShapes(header), tokenizer, hints);
  // llama.cpp rotates neighbouring pairs for Llama and halves, as Hugging Face does, for Qwen.
  const interleaved = decoder.architecture === 'llama' ? decoder.headDim : undefined;
  return { ...parsed, decoder, tokenizer, tensors: await GgufReader.open(path, header, interleaved) };
}
