/** A stream that is slow to begin: comments until it does, so that nobody in between takes the silence for an end. */
import { Context } from 'hono';
import { streamSSE } from 'hono/streaming';
import { toApiError } from '../errors.ts';
import { holdOpen } from '../middleware/hold-open.ts';
import { EventWriter } from './event-writer.ts';
import { uncached } from './sse.ts';

/**
 * Answers a streaming request with what `open` makes. Where that takes longer than `keepAliveSeconds` (a wait in the
 * queue, a long prefill), the answer starts as a stream of comments, and goes on with the events of `open`'s. Only an
 * error that comes before that can still be an HTTP status; a later one is the stream's only message.
 * @param open gets a context of its own, as that of the request may have been answered by then
 */
export async function streamSoon(c: Context, open: (c: Context) => Promise<Response>): Promise<Response> {
  const call = c.get('call');
  const opening = open(contextBeside(c));
  const soon = await inTime(opening, call.patience.keepAliveSeconds * 1000);
  if (soon !== null) return c.newResponse(soon.body, soon);

  const ended = Promise.withResolvers<void>();
  holdOpen(c, ended.promise);
  call.lastsFor(ended.promise);
  const response = streamSSE(c, async (stream) => {
    stream.onAbort(() => call.hangUp());
    const writer = new EventWriter(stream, call.patience, () => {
      call.end('stalled');
      call.cut();
    });
    try {
      const opened = await opening;
      if (!opened.ok) return;
      // Its own writer is in charge now; this one only passes on.
      writer.close();
      const reader = (opened.body as ReadableStream<Uint8Array> | null)?.getReader();
      stream.onAbort(() => void reader?.cancel().catch(() => {}));
      for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
        await writer.bytes(part.value);
      }
    } catch (error) {
      call.end('error');
      await writer.message(JSON.stringify(toApiError(error).body()));
    } finally {
      writer.close();
      ended.resolve();
    }
  });
  uncached(response);
  return response;
}

/** @returns null when the time is over first; what `promise` throws in time is thrown */
async function inTime<T>(promise: Promise<T>, ms: number): Promise<T | null> {
  const late = Promise.withResolvers<null>();
  const timer = setTimeout(() => late.resolve(null), ms);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** A context with the same request, host and call, whose answer is its own. */
function contextBeside(c: Context): Context {
  const beside = new Context(c.req.raw, { env: c.env, ...executionCtxOf(c), notFoundHandler: () => c.notFound() });
  beside.set('call', c.get('call'));
  return beside;
}

function executionCtxOf(c: Context): { executionCtx: Context['executionCtx'] | undefined } {
  try {
    return { executionCtx: c.executionCtx };
  } catch {
    // Hono throws where the runtime has none, as on Node.
    return { executionCtx: undefined };
  }
}
