/** Server-sent events with OpenAI's rules on top of Hono's stream. */
import type { Context } from 'hono';
import { type SSEStreamingApi, streamSSE } from 'hono/streaming';
import { toApiError } from '../errors.ts';
import { EventWriter } from './event-writer.ts';
import type { Lease } from './lease.ts';

/** Sends one message; resolves when the client has room for it, or is given up. */
export type Send = (message: object) => Promise<void>;

/**
 * Answers with a stream. Whatever `produce` throws becomes one `data: {"error"}` message, because the status has been
 * sent and Hono's own error event is no JSON. The lease is closed on every way out.
 * @param closing the last message, unless something failed; null for none
 */
export function respondWithEvents(
  c: Context,
  lease: Lease<unknown>,
  produce: (send: Send) => Promise<void>,
  closing: string | null = '[DONE]',
): Response {
  const call = c.get('call');
  const ended = Promise.withResolvers<void>();
  call.lastsFor(ended.promise);
  const response = streamSSE(c, async (stream: SSEStreamingApi) => {
    stream.onAbort(lease.abort);
    const writer = new EventWriter(stream, call.patience, () => {
      call.end('stalled');
      call.cut();
    });
    const send: Send = (message) => writer.message(JSON.stringify(message));
    try {
      await produce(send);
      if (closing !== null && !lease.signal.aborted) await writer.message(closing);
    } catch (error) {
      call.end('error');
      if (!lease.signal.aborted) await send(toApiError(error).body());
    } finally {
      writer.close();
      await lease.close();
      ended.resolve();
    }
  });
  uncached(response);
  return response;
}

/** Proxies that compress or cache would hold blocks back. */
export function uncached(response: Response): void {
  response.headers.set('cache-control', 'no-store, no-transform');
}
