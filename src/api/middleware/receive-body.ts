/** Receives a body: within its size, before the request's deadline, and only while its client sends. */
import type { Context } from 'hono';
import { ApiError, DEADLINE_EXCEEDED } from '../errors.ts';
import type { Call } from './call.ts';

/** What is still read and thrown away of a body that is refused. */
const LINGER_BYTES = 16 * 1024 * 1024;

/** The client went away before its last byte. Nobody reads an answer. */
export class BrokenBody extends Error {
  override readonly name = 'BrokenBody';
}

/**
 * The bytes as they were sent.
 * @param maxSize in bytes
 * @throws ApiError 413 for more than that, 408 after the deadline
 * @throws BrokenBody for a client that leaves
 */
export async function receiveBody(c: Context, maxSize: number): Promise<Uint8Array<ArrayBuffer>> {
  const call = c.get('call');
  const announced = c.req.header('transfer-encoding') === undefined ? c.req.header('content-length') : undefined;
  // Taking `body` starts the stream on Node, so it is taken once.
  const { body } = c.req.raw;
  if (body === null) return new Uint8Array();
  const reader = body.getReader();
  const due = deadline(c, call);
  try {
    if (Number(announced) > maxSize) {
      await drain(reader, due.passed);
      throw tooLarge(maxSize);
    }
    const parts: Uint8Array<ArrayBuffer>[] = [];
    let size = 0;
    for (;;) {
      const part = await next(reader, due.passed);
      if (part === null) break;
      size += part.length;
      if (size > maxSize) {
        await drain(reader, due.passed);
        throw tooLarge(maxSize);
      }
      parts.push(part);
    }
    // Some runtimes end the stream of a connection that broke.
    if (announced !== undefined && size < Number(announced))
      throw new BrokenBody('The body is shorter than announced.');
    return joined(parts, size);
  } finally {
    due.stop();
  }
}

interface Deadline {
  /** Rejects with the error to show. */
  readonly passed: Promise<never>;
  stop(): void;
}

function deadline(c: Context, call: Call): Deadline {
  const passed = Promise.withResolvers<never>();
  // Nobody may be waiting when it passes.
  passed.promise.catch(() => {});
  const alarm = setTimeout(
    () => {
      call.end('deadline');
      // The rest of the body would be read as the next request.
      c.header('connection', 'close');
      const message = `The request body took longer than the ${call.patience.requestSeconds} seconds that this server allows.`;
      passed.reject(new ApiError(408, message, DEADLINE_EXCEEDED));
    },
    Math.max(call.msLeft, 0),
  );
  return { passed: passed.promise, stop: () => clearTimeout(alarm) };
}

type Reader = ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;

/** @returns null at the end */
async function next(reader: Reader, passed: Promise<never>): Promise<Uint8Array<ArrayBuffer> | null> {
  const read = reader.read().catch((error: unknown) => {
    throw new BrokenBody('The client went away while it sent.', { cause: error });
  });
  const { done, value } = await Promise.race([read, passed]);
  return done ? null : value;
}

/** A client that is still sending when the connection closes sees a reset, and not the answer. */
async function drain(reader: Reader, passed: Promise<never>): Promise<void> {
  let left = LINGER_BYTES;
  while (left > 0) {
    const part = await next(reader, passed);
    if (part === null) return;
    left -= part.length;
  }
  await reader.cancel();
}

function tooLarge(maxSize: number): ApiError {
  return new ApiError(413, `The request body is larger than ${maxSize} bytes.`, 'request_too_large');
}

function joined(parts: readonly Uint8Array<ArrayBuffer>[], size: number): Uint8Array<ArrayBuffer> {
  const [first] = parts;
  if (parts.length === 1 && first !== undefined) return first;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
