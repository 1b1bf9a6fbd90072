/** Engine events -> an HTTP answer, whole or streamed, in the words of whichever endpoint asks. */
import type { Context } from 'hono';
import type { DoneEvent, GenerateRequest } from '../../engine/request.ts';
import type { Engine } from '../host.ts';
import {
  type ChoiceEvent,
  type ChoiceResult,
  type ChunkWriter,
  checkChoices,
  choiceEvents,
  collectChoices,
} from './choices.ts';
import { openLease } from './lease.ts';
import { respondWithEvents, type Send } from './sse.ts';

/** nginx's status for a client that has gone; nobody reads it. */
const CLIENT_CLOSED_REQUEST = 499;

export function clientGone(): Response {
  return new Response(null, { status: CLIENT_CLOSED_REQUEST });
}

/**
 * All completions in one body.
 * @param requests one or more, run one after another
 * @param write the body, from as many results
 */
export async function answerAtOnce(
  c: Context,
  engine: Engine,
  requests: readonly GenerateRequest[],
  write: (results: readonly ChoiceResult[]) => object,
): Promise<Response> {
  checkChoices(engine, requests);
  const lease = await openLease(c, engine, firstOf(requests));
  if (lease === null) return clientGone();
  try {
    const results = await collectChoices(choiceEvents(engine, lease, requests), requests.length);
    return results === null ? clientGone() : c.json(write(results));
  } catch (error) {
    if (lease.signal.aborted) return clientGone();
    throw error;
  } finally {
    await lease.close();
  }
}

export interface StreamChoice {
  readonly includeUsage: boolean;
  /** A message for every step too. */
  readonly diffusing: boolean;
}

/**
 * One message per piece of text. The stream starts with the first, so that whatever fails before is an HTTP status.
 * @param closing the last line; null for none
 */
export async function answerInEvents(
  c: Context,
  engine: Engine,
  requests: readonly GenerateRequest[],
  writer: ChunkWriter,
  { includeUsage, diffusing }: StreamChoice,
  closing: string | null = '[DONE]',
): Promise<Response> {
  checkChoices(engine, requests);
  const lease = await openLease(c, engine, firstOf(requests));
  if (lease === null) return clientGone();
  const all = choiceEvents(engine, lease, requests);
  const events = diffusing ? all : withoutSteps(all);
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
  const produce = async (send: Send) => {
    try {
      const usage = includeUsage && writer.usage ? { usage: null } : {};
      const dones = await writeEvents(head, events, writer, (chunk) => send({ ...chunk, ...usage }));
      if (includeUsage && writer.usage && dones.length === requests.length) await send(writer.usage(dones));
    } finally {
      await events.return();
    }
  };
  return respondWithEvents(c, lease, produce, closing);
}

async function writeEvents(
  head: IteratorResult<ChoiceEvent, void>,
  events: AsyncGenerator<ChoiceEvent, void, void>,
  writer: ChunkWriter,
  send: Send,
): Promise<readonly DoneEvent[]> {
  const dones: DoneEvent[] = [];
  let opened = -1;
  for (let next = head; !next.done; next = await events.next()) {
    const { choice, event } = next.value;
    const opening = choice > opened ? writer.opening?.(choice) : null;
    opened = choice;
    if (opening) await send(opening);
    if (event.type === 'prompt' && writer.prompt) await send(writer.prompt(choice, event));
    if (event.type === 'step' && writer.step) await send(writer.step(choice, event));
    if (event.type === 'block') await send(writer.block(choice, event));
    if (event.type !== 'done') continue;
    dones.push(event);
    await send(writer.done(choice, event));
  }
  return dones;
}

async function* withoutSteps(events: AsyncGenerator<ChoiceEvent, void, void>): AsyncGenerator<ChoiceEvent, void, void> {
  for await (const event of events) if (event.event.type !== 'step') yield event;
}

function firstOf(requests: readonly GenerateRequest[]): GenerateRequest {
  const [first] = requests;
  if (first === undefined) throw new Error('a call without a request');
  return first;
}
