/** Keeps files in a directory. The Node host uses it. */
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PARTIAL, removeAbandoned } from './partials.ts';
import type { FileStore } from './stored.ts';

/** @param directory is made when the first file is kept */
export function directoryStore(directory: string): FileStore {
  /** Once for each process: what a killed one left. */
  let cleaned: Promise<void> | null = null;
  return {
    async read(file) {
      const handle = await open(join(directory, file)).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return null;
        throw error;
      });
      return handle && (handle.readableWebStream({ autoClose: true }) as ReadableStream<Uint8Array>);
    },
    async create(file) {
      await mkdir(directory, { recursive: true });
      cleaned ??= removeAbandoned(directory);
      await cleaned;
      // The name is unique, because another process may be fetching the same file.
      const partial = join(directory, `${file}.${PARTIAL}${crypto.randomUUID()}`);
      const handle = await open(partial, 'wx');
      return {
        async write(chunk) {
          await handle.appendFile(chunk);
        },
        async keep() {
          await handle.close();
          await rename(partial, join(directory, file));
        },
        async drop() {
          await handle.close();
          await rm(partial, { force: true });
        },
      };
    },
    async remove(file) {
      await rm(join(directory, file), { force: true });
    },
  };
}
