/** Engine events -> an HTTP answer, whole or streamed. */
import type { Context } from 'hono';
import type { EngineEvent, GenerateRequest } from '../engine/request.ts';
import type { CompletionBody } from './completion-body.ts';
import type { Engine } from './host.ts';
import { type Lease, openLease } from './lease.ts';
import { respondWithEvents } from './sse.ts';

/** nginx's status for a client that has gone; nobody reads it. */
const CLIENT_CLOSED_REQUEST = 499;

/** Events that a client sees: steps, text, then the end. Stops at an abort; an end without `done` is an error. */
async function* visibleEvents({ admitted, signal }: Lease): AsyncGenerator<EngineEvent> {
  let finished = false;
  for await (const event of admitted.run(signal)) {
    if (signal.aborted) return;
    if (event.type === 'done') finished = true;
    if (event.type !== 'block' || event.text !== '') yield event;
  }
  if (!finished && !signal.aborted) throw new Error('The engine ended without a finish reason');
}

function clientGone(): Response {
  return new Response(null, { status: CLIENT_CLOSED_REQUEST });
}

/** The completion in one body. */
export async function completeAtOnce(
  c: Context,
  engine: Engine,
  request: GenerateRequest,
  body: CompletionBody,
): Promise<Response> {
  const lease = await openLease(c, engine, request);
  if (lease === null) return clientGone();
  try {
    let text = '';
    for await (const event of visibleEvents(lease)) {
      if (event.type === 'done') return c.json(body.whole(text, event));
      if (event.type === 'block') text += event.text;
    }
    return clientGone();
  } catch (error) {
    if (lease.signal.aborted) return clientGone();
    throw error;
  } finally {
    await lease.close();
  }
}

export interface StreamFields {
  readonly includeUsage: boolean;
  /** A message for every step too. */
  readonly diffusing: boolean;
}

/** One message per piece of text. The stream starts with the first, so that whatever fails before is an HTTP status. */
export async function completeInEvents(
  c: Context,
  engine: Engine,
  request: GenerateRequest,
  body: CompletionBody,
  { includeUsage, diffusing }: StreamFields,
): Promise<Response> {
  const lease = await openLease(c, engine, request);
  if (lease === null) return clientGone();
  const events = diffusing ? visibleEvents(lease) : withoutSteps(visibleEvents(lease));
  const head = await events.next().catch(async (error: unknown) => {
    const aborted = lease.signal.aborted;
    await lease.close();
    if (aborted) return null;
    throw error;
  });
  if (head === null || head.done) {
    await lease.close();
    return clientGone();
  }
  return respondWithEvents(c, lease, async (send) => {
    const withUsage = (chunk: object) => (includeUsage ? { ...chunk, usage: null } : chunk);
    for (let next: IteratorResult<EngineEvent> = head; !next.done; next = await events.next()) {
      const event = next.value;
      if (event.type === 'step') await send(withUsage(body.stepChunk(event)));
      if (event.type === 'block') await send(withUsage(body.textChunk(event.text)));
      if (event.type !== 'done') continue;
      await send(withUsage(body.finalChunk(event)));
      if (includeUsage) await send(body.usageChunk(event));
    }
  });
}

async function* withoutSteps(events: AsyncGenerator<EngineEvent>): AsyncGenerator<EngineEvent> {
  for await (const event of events) if (event.type !== 'step') yield event;
}
