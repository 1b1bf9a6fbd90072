/** A model's files in an R2 bucket, under `models/<name>/` as `npm run upload` puts them. */
import { ModelLoadError } from '../model/errors.ts';
import type { WeightSource } from '../model/weight-source.ts';
import { parseJson } from './answer.ts';

interface StoredObject {
  readonly body: ReadableStream<Uint8Array>;
  text(): Promise<string>;
}

/** The part of the bucket binding that is used. */
export interface Bucket {
  get(key: string): Promise<StoredObject | null>;
}

export function r2Source(bucket: Bucket, model: string): WeightSource {
  async function get(file: string): Promise<StoredObject> {
    const object = await bucket.get(`models/${model}/${file}`).catch((error: unknown) => {
      throw new ModelLoadError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    });
    if (object === null) throw new ModelLoadError(`${file} is missing`);
    return object;
  }
  return {
    json: async (file) => parseJson(file, await (await get(file)).text()),
    stream: async (file) => (await get(file)).body,
  };
}
