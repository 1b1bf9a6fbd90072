/** An edit's events -> an HTTP answer, whole or streamed. */
import type { Context } from 'hono';
import type { EditEvent, EditResult } from '../../engine/editing/edit-request.ts';
import { clientGone, type StreamChoice } from '../generate/answer.ts';
import { type Lease, openLease } from '../generate/lease.ts';
import { respondWithEvents, type Send } from '../generate/sse.ts';
import type { Admitted, Engine } from '../host.ts';
import type { EditBodies } from './body.ts';
import type { EditTask } from './task.ts';

function lease(c: Context, engine: Engine, { request }: EditTask): Promise<Lease<Admitted<EditEvent>> | null> {
  return openLease(c, { admit: (edit: typeof request, signal) => engine.admitEdit(edit, signal) }, request);
}

export async function editAtOnce(c: Context, engine: Engine, task: EditTask, bodies: EditBodies): Promise<Response> {
  const held = await lease(c, engine, task);
  if (held === null) return clientGone();
  try {
    for await (const event of held.admitted.run(held.signal)) {
      if (event.type === 'done') return c.json(bodies.whole(event.result));
    }
    return clientGone();
  } catch (error) {
    if (held.signal.aborted) return clientGone();
    throw error;
  } finally {
    await held.close();
  }
}

/** The role, spans as they are weighed where they are asked for, then the whole code at once: an edit is known at its end. */
export async function editInEvents(
  c: Context,
  engine: Engine,
  task: EditTask,
  bodies: EditBodies,
  { includeUsage, diffusing }: StreamChoice,
): Promise<Response> {
  const held = await lease(c, engine, task);
  if (held === null) return clientGone();
  return respondWithEvents(c, held, async (send: Send) => {
    const withUsage = (chunk: object) => send(includeUsage ? { ...chunk, usage: null } : chunk);
    await withUsage(bodies.opening());
    let result: EditResult | null = null;
    for await (const event of held.admitted.run(held.signal)) {
      if (event.type === 'span' && diffusing) await withUsage(bodies.span(event.span));
      if (event.type === 'done') result = event.result;
    }
    if (held.signal.aborted) return;
    if (result === null) throw new Error('The engine ended without a result');
    await withUsage(bodies.text(result));
    await withUsage(bodies.done(result));
    if (includeUsage) await send(bodies.usage(result));
  });
}
