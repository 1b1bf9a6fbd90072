/** A model's files in a directory: the Node host, tests and benches. */
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { ModelLoadError } from './model/errors.ts';
import type { WeightSource } from './model/weight-source.ts';

export function directorySource(directory: string): WeightSource {
  return {
    async json(file) {
      let text: string;
      try {
        text = await readFile(join(directory, file), 'utf8');
      } catch (error) {
        throw missing(file, error);
      }
      try {
        return JSON.parse(text);
      } catch {
        throw new ModelLoadError(`${file} is not JSON`);
      }
    },
    async stream(file) {
      const path = join(directory, file);
      try {
        await stat(path);
      } catch (error) {
        throw missing(file, error);
      }
      return Readable.toWeb(createReadStream(path, { highWaterMark: 1 << 20 })) as ReadableStream<Uint8Array>;
    },
  };
}

function missing(file: string, error: unknown): ModelLoadError {
  const code = error instanceof Error && 'code' in error ? error.code : error;
  return new ModelLoadError(code === 'ENOENT' ? `${file} is missing` : `${file} cannot be read: ${code}`);
}
