/** Keeps the beginning of a file while it arrives. A page that was closed in the middle goes on from there. */
import { byteStream } from './byte-stream.ts';

/** Where beginnings of files lie. */
export interface PartStore {
  /** Made where there is none. @throws when another page has it open */
  open(name: string): Promise<Part>;
}

/** Closed or removed in the end, once. */
export interface Part {
  /** What is there already. */
  readonly bytes: number;
  read(): Iterable<Uint8Array<ArrayBuffer>>;
  /** Kept when it returns, whatever becomes of the page. */
  append(chunk: Uint8Array<ArrayBuffer>): void;
  /** To be continued. */
  close(): void;
  remove(): Promise<void>;
}

/**
 * A file from its beginning, of which only what is not there yet is asked for. Its part is removed when the last byte has
 * been read, and stays when the reader or the server breaks off. Nothing here knows whether both belong to the same version
 * of the file: whoever reads has to check, and will find no part when it asks again.
 * @param name of the part: best with a checksum in it, so that a new version begins anew
 * @param rest the file's bytes from one on
 * @param onFound called with the bytes that were there, before any is read
 * @param warn gets a sentence where nothing can be kept; the file comes whole all the same
 */
export async function continued(
  parts: PartStore,
  name: string,
  rest: (from: number) => AsyncGenerator<Uint8Array<ArrayBuffer>, void, void>,
  onFound: (bytes: number) => void,
  warn: (sentence: string) => void,
): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
  const unkept = (error: unknown) =>
    warn(`What arrives of ${name} is not kept until it is whole: ${error instanceof Error ? error.message : error}.`);
  const part = await parts.open(name).catch((error: unknown) => {
    unkept(error);
    return null;
  });
  if (part === null) return byteStream(rest(0));
  onFound(part.bytes);
  return byteStream(joined(part, rest, unkept));
}

async function* joined(
  part: Part,
  rest: (from: number) => AsyncGenerator<Uint8Array<ArrayBuffer>, void, void>,
  unkept: (error: unknown) => void,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
  let [whole, full] = [false, false];
  try {
    for (const chunk of part.read()) yield chunk;
    for await (const chunk of rest(part.bytes)) {
      try {
        if (!full) part.append(chunk);
      } catch (error) {
        full = true;
        unkept(error);
      }
      yield chunk;
    }
    whole = true;
  } finally {
    // Also what stopped growing is a beginning.
    if (whole) await part.remove();
    else part.close();
  }
}
