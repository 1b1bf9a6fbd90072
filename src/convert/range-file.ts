/** Reads a file by byte ranges into a buffer that it reuses. */
import { type FileHandle, open } from 'node:fs/promises';
import { ConversionError } from './checkpoint.ts';

export class RangeFile {
  readonly path: string;
  readonly bytes: number;
  readonly #handle: FileHandle;

  private constructor(path: string, bytes: number, handle: FileHandle) {
    this.path = path;
    this.bytes = bytes;
    this.#handle = handle;
  }

  /** @throws ConversionError if there is no such file or it may not be read */
  static async open(path: string): Promise<RangeFile> {
    const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
      const why = error.code === 'ENOENT' ? 'is not there' : `cannot be read: ${error.code}`;
      throw new ConversionError(`${path} ${why}`, { cause: error });
    });
    const found = await handle.stat();
    if (found.isFile()) return new RangeFile(path, found.size, handle);
    await handle.close();
    throw new ConversionError(`${path} is not a file`);
  }

  /**
   * Fills `target` with the bytes from `offset` on.
   * @throws ConversionError if the file ends before.
   */
  async read(offset: number, target: Uint8Array): Promise<void> {
    let done = 0;
    while (done < target.byteLength) {
      const { bytesRead } = await this.#handle.read(target, done, target.byteLength - done, offset + done);
      if (bytesRead === 0) {
        throw new ConversionError(`${this.path} ends at byte ${offset + done}: it is cut off, fetch it again`);
      }
      done += bytesRead;
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}
