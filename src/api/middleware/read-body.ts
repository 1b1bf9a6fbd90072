/** Reads a body as text in whatever way its headers say, so that the routes see JSON or an error that names the header. */
import type { Context, MiddlewareHandler } from 'hono';
import { matchedRoutes } from 'hono/route';
import { ApiError } from '../errors.ts';
import { holdOpen } from './hold-open.ts';
import { receiveBody } from './receive-body.ts';

const DECOMPRESSION: Readonly<Record<string, CompressionFormat>> = {
  gzip: 'gzip',
  'x-gzip': 'gzip',
  deflate: 'deflate',
};
const JSON_TYPE = /^application\/([a-z-.]+\+)?json$/;

/** @param maxSize bytes at most, as they are sent and after decompression */
export function readBody(maxSize: number): MiddlewareHandler {
  return async function read(c, next) {
    // What no route takes is a 404, whatever its body is.
    const routed = matchedRoutes(c).some(({ path }) => !path.includes('*'));
    if (c.req.method !== 'POST' || !routed) return next();
    const received = receiveBody(c, maxSize);
    // So that a client that leaves while it sends is noticed.
    holdOpen(c, received);
    const bytes = await received;
    const charset = charsetOf(c.req.header('content-type'));
    const text = decoded(await decompressed(c, bytes, maxSize), charset);
    // The validators read the body from here.
    // Hono types the cache by its values, but it holds promises of them.
    Object.assign(c.req.bodyCache, { text: Promise.resolve(text) });
    await next();
  };
}

/** @throws ApiError 415 for another type than JSON */
function charsetOf(header: string | undefined): string {
  const [type = '', ...parameters] = (header ?? '').split(';').map((part) => part.trim());
  if (!JSON_TYPE.test(type.toLowerCase())) {
    const message =
      type === ''
        ? "The request has no 'content-type' header: send 'content-type: application/json'."
        : `Unsupported 'content-type' header ${shown(type)}: send 'content-type: application/json'.`;
    throw new ApiError(415, message, 'unsupported_media_type');
  }
  const charset = parameters.map((parameter) => /^charset="?([^"]*)"?$/i.exec(parameter)?.[1]).find(Boolean);
  return charset ?? 'utf-8';
}

/** @throws ApiError 415 for an encoding that is not known, 400 for one that does not hold, 413 for a body that grows too large */
async function decompressed(
  c: Context,
  bytes: Uint8Array<ArrayBuffer>,
  maxSize: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const header = c.req.header('content-encoding') ?? '';
  const encodings = header.split(',').flatMap((name) => (/^\s*(identity)?\s*$/i.test(name) ? [] : [name.trim()]));
  const [encoding, ...more] = encodings;
  if (encoding === undefined) return bytes;
  const format = DECOMPRESSION[encoding.toLowerCase()];
  if (format === undefined || more.length > 0) {
    const message = `Unsupported 'content-encoding' header ${shown(header)}: send the body as it is, or with gzip or deflate.`;
    throw new ApiError(415, message, 'unsupported_media_type');
  }
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream(format));
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  try {
    for await (const part of stream as unknown as AsyncIterable<Uint8Array<ArrayBuffer>>) {
      size += part.length;
      if (size > maxSize) break;
      parts.push(part);
    }
  } catch {
    throw new ApiError(
      400,
      `The request body is not what its 'content-encoding' header says: ${shown(header)}.`,
      'invalid_body',
    );
  }
  if (size > maxSize) {
    throw new ApiError(
      413,
      `The request body is larger than ${maxSize} bytes once it is decompressed.`,
      'request_too_large',
    );
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** @throws ApiError 415 for a charset that is not known, 400 for bytes that are none of its */
function decoded(bytes: Uint8Array<ArrayBuffer>, charset: string): string {
  const decoder = decoderOf(charset);
  try {
    return decoder.decode(bytes);
  } catch {
    const message = `The request body is not ${shown(charset)}: send UTF-8, or name another charset in the 'content-type' header.`;
    throw new ApiError(400, message, 'invalid_json');
  }
}

function decoderOf(charset: string): TextDecoder {
  try {
    return new TextDecoder(charset, { fatal: true });
  } catch {
    throw new ApiError(
      415,
      `Unsupported charset ${shown(charset)} in the 'content-type' header: send UTF-8.`,
      'unsupported_media_type',
    );
  }
}

/** A header's value as a message may show it. */
function shown(value: string): string {
  return JSON.stringify(value.length > 64 ? `${value.slice(0, 64)}...` : value);
}
