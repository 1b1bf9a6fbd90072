/** Engine events -> an HTTP answer, whole or streamed. */
import type { Context } from 'hono';
import type { EngineEvent } from '../engine/request.ts';
import type { CompletionBody } from './completion-body.ts';
import type { Admitted } from './host.ts';
import { openLease } from './lease.ts';
import { respondWithEvents } from './sse.ts';

type Visible = Exclude<EngineEvent, { type: 'step' }>;

/** nginx's status for a client that has gone; nobody reads it. */
const CLIENT_CLOSED_REQUEST = 499;

/** Events that a client sees: text, then the end. Stops at an abort; an end without `done` is an error. */
async function* visibleEvents(admitted: Admitted, signal: AbortSignal): AsyncGenerator<Visible> {
  let finished = false;
  for await (const event of admitted.run(signal)) {
    if (signal.aborted) return;
    if (event.type === 'done') finished = true;
    if (event.type === 'done' || (event.type === 'block' && event.text !== '')) yield event;
  }
  if (!finished && !signal.aborted) throw new Error('The engine ended without a finish reason');
}

/** The completion in one body. */
export async function completeAtOnce(c: Context, admitted: Admitted, body: CompletionBody): Promise<Response> {
  const lease = openLease(c, admitted);
  try {
    let text = '';
    for await (const event of visibleEvents(admitted, lease.signal)) {
      if (event.type === 'done') return c.json(body.whole(text, event));
      text += event.text;
    }
    return new Response(null, { status: CLIENT_CLOSED_REQUEST });
  } catch (error) {
    if (lease.signal.aborted) return new Response(null, { status: CLIENT_CLOSED_REQUEST });
    throw error;
  } finally {
    await lease.close();
  }
}

/** One message per block. The stream starts with the first text, so that whatever fails before is an HTTP status. */
export async function completeInEvents(
  c: Context,
  admitted: Admitted,
  body: CompletionBody,
  includeUsage: boolean,
): Promise<Response> {
  const lease = openLease(c, admitted);
  const events = visibleEvents(admitted, lease.signal);
  const head = await events.next().catch(async (error: unknown) => {
    const aborted = lease.signal.aborted;
    await lease.close();
    if (aborted) return null;
    throw error;
  });
  if (head === null || head.done) {
    await lease.close();
    return new Response(null, { status: CLIENT_CLOSED_REQUEST });
  }
  return respondWithEvents(c, lease, async (send) => {
    const withUsage = (chunk: object) => (includeUsage ? { ...chunk, usage: null } : chunk);
    for (let next: IteratorResult<Visible> = head; !next.done; next = await events.next()) {
      const event = next.value;
      if (event.type === 'block') {
        await send(withUsage(body.textChunk(event.text)));
        continue;
      }
      await send(withUsage(body.finalChunk(event)));
      if (includeUsage) await send(body.usageChunk(event));
    }
  });
}
