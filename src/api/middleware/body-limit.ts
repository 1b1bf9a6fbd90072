/** Refuses large bodies in OpenAI's words, and lets the client read the refusal. */
import type { Context, MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { ApiError, errorResponse } from '../errors.ts';

/** What is still read and thrown away of a body that is refused. */
const LINGER_BYTES = 16 * 1024 * 1024;

/** A client that is still sending when the connection closes sees a reset, and not the answer. */
async function drain(c: Context): Promise<void> {
  const { body } = c.req.raw;
  // Hono holds the reader where it had to count the bytes itself.
  if (body === null || body.locked) return;
  const reader = body.getReader();
  let left = LINGER_BYTES;
  while (left > 0) {
    const { done, value } = await reader.read();
    if (done) return;
    left -= value.length;
  }
  await reader.cancel();
}

export function limitBody(maxSize: number): MiddlewareHandler {
  return bodyLimit({
    maxSize,
    async onError(c) {
      await drain(c).catch(() => {});
      const message = `The request body is larger than ${maxSize} bytes.`;
      return errorResponse(c, new ApiError(413, message, 'request_too_large'));
    },
  });
}
