/** Keeps a copy of every file that passes, and reads from the copy from then on. A second start needs no network. */
import { ModelLoadError } from '../model/errors.ts';
import type { WeightSource } from '../model/weight-source.ts';
import { byteStream, streamText } from './byte-stream.ts';
import { UnreachableError } from './http.ts';

/** Where copies lie. A file is there whole or not at all. */
export interface FileStore {
  /** Its bytes (`type: 'bytes'`), or null. */
  read(file: string): Promise<ReadableStream<Uint8Array> | null>;
  create(file: string): Promise<Draft>;
  remove(file: string): Promise<void>;
}

/** A copy in the making. */
interface Draft {
  write(chunk: Uint8Array<ArrayBuffer>): Promise<void>;
  /** All was written: from now on `read` has it. */
  keep(): Promise<void>;
  /** Leaves nothing behind. */
  drop(): Promise<void>;
}

/**
 * Shards come from the store, else through `source` into it. The small files come from `source`, so that a new version of
 * the model is seen, and from the store where the server is out of reach.
 * @param warn gets one sentence where a copy cannot be kept (a full disk, a browser's quota) or an old one has to do
 */
export function storedSource(source: WeightSource, store: FileStore, warn: (sentence: string) => void): WeightSource {
  /** Everything that passes, and into the store too, as long as it takes it. */
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

  /** A store that fails is as good as an empty one. */
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

/** A draft whose failure is told once and then no longer in the way. */
class Copy {
  readonly #store: FileStore;
  readonly #file: string;
  readonly #warn: (sentence: string) => void;
  #draft: Draft | null = null;
  #failed = false;

  constructor(store: FileStore, file: string, warn: (sentence: string) => void) {
    this.#store = store;
    this.#file = file;
    this.#warn = warn;
  }

  async write(chunk: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.#failed) return;
    try {
      this.#draft ??= await this.#store.create(this.#file);
      await this.#draft.write(chunk);
    } catch (error) {
      await this.#fail(error);
    }
  }

  async end(whole: boolean): Promise<void> {
    if (this.#failed || this.#draft === null) return;
    try {
      if (whole) await this.#draft.keep();
      else await this.#draft.drop();
    } catch (error) {
      await this.#fail(error);
    }
  }

  async #fail(error: unknown): Promise<void> {
    this.#failed = true;
    this.#warn(`${this.#file} cannot be kept: ${reasonOf(error)}. It is loaded again the next time.`);
    await this.#draft?.drop().catch(() => {});
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'QuotaExceededError') return 'the storage that this site may use is full';
  if ('code' in error && error.code === 'ENOSPC') return 'the disk is full';
  return error.message;
}
