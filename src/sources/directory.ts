/** A model's files in a directory, for the Node host, tests and benches. */
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ModelLoadError } from '../model/errors.ts';
import type { WeightSource } from '../model/weight-source.ts';
import { parseJson } from './answer.ts';

export function directorySource(directory: string): WeightSource {
  const named = (file: string, error: unknown): ModelLoadError => {
    const code = error instanceof Error && 'code' in error ? error.code : error;
    return new ModelLoadError(code === 'ENOENT' ? `${file} is missing` : `${file} cannot be read: ${code}`);
  };
  return {
    async json(file) {
      const text = await readFile(join(directory, file), 'utf8').catch((error) => {
        throw named(file, error);
      });
      return parseJson(file, text);
    },
    async stream(file) {
      const handle = await open(join(directory, file)).catch((error) => {
        throw named(file, error);
      });
      return handle.readableWebStream({ autoClose: true }) as ReadableStream<Uint8Array>;
    },
  };
}
