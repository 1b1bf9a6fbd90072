/** Server-sent events with OpenAI's rules, on top of Hono's stream. */
import type { Context } from 'hono';
import { type SSEStreamingApi, streamSSE } from 'hono/streaming';
import { toApiError } from '../errors.ts';
import { EventWriter } from './event-writer.ts';

/** Sends the data of one message; resolves when the client has room for it, or is given up. */
export type Send = (data: string) => Promise<void>;

/** nginx's status for a client that has gone; nobody reads it. */
const CLIENT_CLOSED_REQUEST = 499;

export function clientGone(): Response {
  return new Response(null, { status: CLIENT_CLOSED_REQUEST });
}

/**
 * Answers with a stream that begins with the first message. Where that takes longer than `keepAliveSeconds` (a wait in the
 * queue, a long prefill), it begins with comments, so that nobody in between takes the silence for an end.
 *
 * An error of `produce` is an HTTP status while the stream has not begun. Later it is one `data: {"error"}` message,
 * because the status has been sent and Hono's own error event is no JSON.
 * @returns once the stream begins
 */
export function respondWithEvents(c: Context, produce: (send: Send) => Promise<unknown>): Promise<Response> {
  const call = c.get('call');
  const begun = Promise.withResolvers<Response>();
  const ended = Promise.withResolvers<void>();
  call.lastsFor(ended.promise);

  const writer = new EventWriter(call, () => {
    const opened: SSEStreamingApi[] = [];
    const response = streamSSE(c, (stream) => {
      opened.push(stream);
      return ended.promise;
    });
    const [stream] = opened;
    if (stream === undefined) throw new Error('a stream that does not start at once');
    stream.onAbort(() => call.hangUp());
    // Hop by hop: whether the connection is kept, and how its end is marked, is between the host and its client.
    for (const name of ['connection', 'transfer-encoding']) response.headers.delete(name);
    // Proxies that compress or cache would hold blocks back.
    response.headers.set('cache-control', 'no-store, no-transform');
    begun.resolve(response);
    return stream;
  });

  async function run(): Promise<void> {
    try {
      await produce((data) => writer.message(data));
      if (!writer.isOpen) begun.resolve(clientGone());
    } catch (error) {
      if (!writer.isOpen) return begun.reject(error);
      call.end('error');
      await writer.message(JSON.stringify(toApiError(error).body()));
    } finally {
      writer.close();
      ended.resolve();
    }
  }

  void run();
  return begun.promise;
}
