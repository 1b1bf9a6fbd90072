/** Keeps the beginning of a file while it arrives. A page that was closed in the middle goes on from there. */
import { byteStream } from './byte-stream.ts';

/** Storage for the beginnings of files. */
export interface PartStore {
  /** Opens a part, and makes it if there is none. @throws when another page has it open */
  open(name: string): Promise<Part>;
}

/** Ends with `close` or `remove`, called once. */
export interface Part {
  /** Bytes that are stored. */
  readonly bytes: number;
  read(): Iterable<Uint8Array<ArrayBuffer>>;
  /** The chunk is stored when this returns, even if the page closes. */
  append(chunk: Uint8Array<ArrayBuffer>): void;
  /** Keeps the part for later. */
  close(): void;
  remove(): Promise<void>;
}

/**
 * Reads a file from its beginning. Stored bytes come from the part, and only the others are fetched. The part is removed when
 * the last byte has been read. It stays when the reader or the server breaks off. This code cannot know whether both belong to
 * the same version of the file: the reader has to check, and a second read finds no part.
 * @param name of the part: best with a checksum in it, so that a new version begins anew
 * @param rest the bytes of the file from an offset on
 * @param onFound called with the number of stored bytes, before any is read
 * @param warn gets a sentence if bytes cannot be stored; the whole file is still delivered
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
    // A part that no longer grows is still a valid beginning.
    if (whole) await part.remove();
    else part.close();
  }
}
