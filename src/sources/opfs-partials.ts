/** Keeps parts of files in a browser's origin private file system (OPFS), for a page that is closed in the middle. */
import type { Part, PartStore } from './continued.ts';

/** The used part of a `FileSystemSyncAccessHandle`. Only workers have such handles, a page's own thread has none. */
interface AccessHandle {
  getSize(): number;
  read(into: Uint8Array<ArrayBuffer>, options: { at: number }): number;
  write(bytes: Uint8Array<ArrayBuffer>, options: { at: number }): number;
  truncate(bytes: number): void;
  flush(): void;
  close(): void;
}

interface FileHandle {
  createSyncAccessHandle(): Promise<AccessHandle>;
}

/** The used part of a `FileSystemDirectoryHandle`. */
export interface Directory {
  getFileHandle(name: string, options: { create: boolean }): Promise<FileHandle>;
  removeEntry(name: string): Promise<void>;
}

const CHUNK = 256 * 1024;

/**
 * For workers only. A part is locked while it is open: a second page that loads the same file fetches it on its own.
 * @param directory of one model, e.g. below `await navigator.storage.getDirectory()`
 */
export function opfsPartials(directory: Directory): PartStore {
  return {
    async open(name): Promise<Part> {
      const file = await directory.getFileHandle(name, { create: true });
      const handle = await file.createSyncAccessHandle();
      let end = handle.getSize();
      return {
        bytes: end,
        *read() {
          for (let at = 0; at < end; ) {
            const chunk = new Uint8Array(Math.min(CHUNK, end - at));
            const count = handle.read(chunk, { at });
            if (count === 0) throw new Error(`${name} ends at byte ${at} of ${end}`);
            at += count;
            yield chunk.subarray(0, count);
          }
        },
        append(chunk) {
          // A full disk writes less than it was given, or throws QuotaExceededError.
          const written = handle.write(chunk, { at: end });
          end += written;
          if (written < chunk.length) throw new DOMException('no room for more', 'QuotaExceededError');
        },
        close() {
          handle.flush();
          handle.close();
        },
        async remove() {
          handle.close();
          await directory.removeEntry(name);
        },
      };
    },
  };
}
