/** A model's files, wherever a host finds them: Workers assets, a directory, a URL. */
import { type ModelConfig, parseModelConfig } from './config.ts';
import { ModelLoadError } from './errors.ts';

export interface WeightSource {
  /** A small file, whole. @throws ModelLoadError naming the file. */
  json(file: string): Promise<unknown>;
  /** A shard as a byte stream (`type: 'bytes'`, as a Response's body is). @throws ModelLoadError naming the file. */
  stream(file: string): Promise<ReadableStream<Uint8Array>>;
  /** Forgets a kept copy of a shard that turned out wrong, so that the next read fetches it. Only sources with copies. */
  discard?(file: string): Promise<void>;
}

/** @throws ModelLoadError when config.json is missing or not valid. */
export async function readModelConfig(source: WeightSource): Promise<ModelConfig> {
  const json = await source.json('config.json');
  try {
    return parseModelConfig(json);
  } catch (error) {
    throw new ModelLoadError(`config.json is not valid: ${error instanceof Error ? error.message : error}`);
  }
}
