/** Keeps a copy of every file that passes, and reads from the copy from then on. A second start needs no network. */
import { ModelLoadError } from '../model/errors.ts';
import type { WeightSource } from '../model/weight-source.ts';
import { byteStream, streamText } from './byte-stream.ts';
import { UnreachableError } from './http.ts';

/** A place for copies of files. It holds a file whole or not at all. */
export interface FileStore {
  /** The file's bytes (`type: 'bytes'`), or null if there is no copy. */
  read(file: string): Promise<ReadableStream<Uint8Array> | null>;
  create(file: string): Promise<PendingCopy>;
  remove(file: string): Promise<void>;
}

/** A copy that is being written. */
interface PendingCopy {
  write(chunk: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Ends the copy. From now on `read` finds it. */
  keep(): Promise<void>;
  /** Removes the copy. */
  drop(): Promise<void>;
}

/**
 * A shard comes from the store. If the store has none, it comes from `source`, and the store gets a copy. The small files
 * come from `source`, so that a new version of the model is seen. If the server cannot be reached, they come from the store.
 * @param warn gets one sentence if a copy cannot be kept (a full disk, a browser's quota), or if an old copy is used
 */
export function storedSource(source: WeightSource, store: FileStore, warn: (sentence: string) => void): WeightSource {
  /** Yields every chunk and also writes it to the store, until the store fails. */
  async function* keeping(
    file: string,
    upstream: ReadableStream<Uint8Array>,
  ): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
    const copy = new Copy(store, file, warn);
    let whole = false;
    try {
      const reader = (upstream as ReadableStream<Uint8Array<ArrayBuffer>>).getReader();
      try {
        for (;;) {
          const { done, value } = await reader.read();
          if (done) break;
          await copy.write(value);
          yield value;
        }
        whole = true;
      } finally {
        if (!whole) await reader.cancel().catch(() => {});
      }
    } finally {
      await copy.end(whole);
    }
  }

  /** The store's copy, or null. A store that fails counts as empty. */
  async function kept(file: string): Promise<ReadableStream<Uint8Array> | null> {
    try {
      return await store.read(file);
    } catch (error) {
      warn(`The kept copy of ${file} cannot be read: ${reasonOf(error)}.`);
      return null;
    }
  }

  return {
    async json(file) {
      let json: unknown;
      try {
        json = await source.json(file);
      } catch (error) {
        const copy = error instanceof UnreachableError ? await kept(file) : null;
        if (copy === null) throw error;
        warn(`${(error as Error).message}; the copy of it that was kept is used.`);
        return parse(file, await streamText(copy));
      }
      const copy = new Copy(store, file, warn);
      await copy.write(new TextEncoder().encode(JSON.stringify(json)));
      await copy.end(true);
      return json;
    },
    async stream(file) {
      return (await kept(file)) ?? byteStream(keeping(file, await source.stream(file)));
    },
    discard: (file) => store.remove(file),
  };
}

function parse(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ModelLoadError(`the kept copy of ${file} is not JSON`);
  }
}

/** Writes a copy. The first failure is a warning; after it nothing more is written. */
class Copy {
  readonly #store: FileStore;
  readonly #file: string;
  readonly #warn: (sentence: string) => void;
  #pending: PendingCopy | null = null;
  #failed = false;

  constructor(store: FileStore, file: string, warn: (sentence: string) => void) {
    this.#store = store;
    this.#file = file;
    this.#warn = warn;
  }

  async write(chunk: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.#failed) return;
    try {
      this.#pending ??= await this.#store.create(this.#file);
      await this.#pending.write(chunk);
    } catch (error) {
      await this.#fail(error);
    }
  }

  async end(whole: boolean): Promise<void> {
    if (this.#failed || this.#pending === null) return;
    try {
      if (whole) await this.#pending.keep();
      else await this.#pending.drop();
    } catch (error) {
      await this.#fail(error);
    }
  }

  async #fail(error: unknown): Promise<void> {
    this.#failed = true;
    this.#warn(`${this.#file} cannot be kept: ${reasonOf(error)}. It is loaded again the next time.`);
    await this.#pending?.drop().catch(() => {});
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'QuotaExceededError') return 'the storage that this site may use is full';
  if ('code' in error && error.code === 'ENOSPC') return 'the disk is full';
  return error.message;
}
