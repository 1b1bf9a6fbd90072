/** A model's files under a URL. Any server of static files will do, with or without ranges. */
import { ModelLoadError } from '../model/errors.ts';
import type { WeightSource } from '../model/weight-source.ts';
import { parseJson } from './answer.ts';
import { byteStream, streamText } from './byte-stream.ts';
import { TransferError, type TransferOptions, transfer } from './resumable.ts';

/** The server cannot be reached, or it fails: an older copy, where there is one, may be used. */
export class UnreachableError extends ModelLoadError {}

/**
 * Broken transfers are continued. `loadWeights` checks the bytes against the manifest's sha256.
 * @param baseUrl of the directory that holds config.json, manifest.json, ...; http or https. A query (of a signed URL) is
 *   sent along with every file
 * @throws ModelLoadError (the source's methods and streams) naming the file, and the status where there was one
 */
export function httpSource(baseUrl: string, options: TransferOptions = {}): WeightSource {
  const stream = (file: string) => byteStream(httpBytes(baseUrl, file, options));
  return {
    async json(file) {
      return parseJson(file, await streamText(stream(file)));
    },
    async stream(file) {
      return stream(file);
    },
  };
}

/** The bytes of one file. @param from offset of the first byte @throws ModelLoadError as `httpSource` does */
export function httpBytes(
  baseUrl: string,
  file: string,
  options: TransferOptions,
  from = 0,
): AsyncGenerator<Uint8Array<ArrayBuffer>, void, void> {
  return named(transfer(fileUrl(baseUrl, file), file, options, from));
}

/** URL of a file in the directory at `baseUrl`, which may end with a slash or not. */
export function fileUrl(baseUrl: string, file: string): string {
  const url = new URL(baseUrl);
  url.pathname += url.pathname.endsWith('/') ? file : `/${file}`;
  return url.href;
}

async function* named(chunks: AsyncGenerator<Uint8Array<ArrayBuffer>, void, void>): typeof chunks {
  try {
    yield* chunks;
  } catch (error) {
    if (!(error instanceof TransferError)) throw error;
    const Kind = error.temporary ? UnreachableError : ModelLoadError;
    throw new Kind(error.message, { cause: error });
  }
}
