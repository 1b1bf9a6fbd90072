/** Opens a GGUF file. */
import { basename } from 'node:path';
import { type Checkpoint, ConversionError } from '../checkpoint.ts';
import { parseGgufConfig } from './config.ts';
import { openGgufFiles } from './files.ts';
import { GgufReader, readRopeFactors } from './tensors.ts';
import { readGgufTokenizer } from './tokenizer.ts';

/** What llama.cpp calls the embedding. */
const EMBEDDING = 'token_embd.weight';

/**
 * @param path of the file, or of the first one of a split
 * @throws ConversionError if it is not a GGUF or asks for something that is not supported
 */
export async function openGguf(path: string, family?: string): Promise<Checkpoint> {
  const files = await openGgufFiles(path);
  try {
    const { metadata, tensors } = files;
    const tokenizer = readGgufTokenizer(metadata);
    const rows = tensors.find(({ name }) => name === EMBEDDING)?.shape[0];
    if (rows === undefined) throw new ConversionError(`the GGUF has no ${EMBEDDING}`);
    const hints = { family, sourceName: basename(path) };
    const factors = await readRopeFactors(files);
    const { decoder, ...parsed } = parseGgufConfig(metadata, rows, factors, tokenizer, hints);
    // llama.cpp rotates neighbouring pairs for Llama and halves, as Hugging Face does, for Qwen.
    const interleaved = decoder.architecture === 'llama' ? decoder.headDim : undefined;
    return { ...parsed, decoder, tokenizer, tensors: new GgufReader(files, interleaved) };
  } catch (error) {
    await files.close();
    throw error;
  }
}
