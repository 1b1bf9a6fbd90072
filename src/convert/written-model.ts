/** Loads a model directory that was just written, as a server will: what the server would refuse is no conversion. */
import { z } from 'zod';
import { loadTokenizer } from '../engine/tokenizer/tokenizer.ts';
import { ModelLoadError } from '../model/errors.ts';
import { manifestSchema } from '../model/manifest.ts';
import { readModelConfig } from '../model/weight-source.ts';
import { directorySource } from '../sources/directory.ts';
import { ConversionError } from './checkpoint.ts';

/** @throws ConversionError in the words that the server would have for it */
export async function loadWrittenModel(directory: string): Promise<void> {
  const source = directorySource(directory);
  try {
    const config = await readModelConfig(source);
    checkTokenizer(await source.json('tokenizer.json'), config.maskTokenId);
    const manifest = manifestSchema.safeParse(await source.json('manifest.json'));
    if (!manifest.success) throw new ConversionError(`manifest.json: ${z.prettifyError(manifest.error)}`);
  } catch (error) {
    throw error instanceof ModelLoadError ? refusal(error) : error;
  }
}

/** @throws ConversionError if the server would refuse this tokenizer.json */
export function checkTokenizer(json: unknown, maskTokenId: number): void {
  try {
    loadTokenizer(json, maskTokenId);
  } catch (error) {
    throw error instanceof ModelLoadError ? refusal(error) : error;
  }
}

function refusal(error: ModelLoadError): ConversionError {
  return new ConversionError(`the server would refuse this model: ${error.message}`, { cause: error });
}
