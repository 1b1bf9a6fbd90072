/** Engine events -> an HTTP answer, whole or streamed, in the words of whichever endpoint asks. */
import type { Context } from 'hono';
import type { EngineEvent, EngineRequest } from '../../engine/job.ts';
import type { DoneEvent } from '../../engine/request.ts';
import type { ServedEngine } from '../host.ts';
import { checkChoices, choiceEvents, collectChoices } from './choices.ts';
import { clientGone, respondWithEvents } from './event-stream.ts';
import { withLease } from './lease.ts';
import type { AnswerWriter } from './writer.ts';

/** What an endpoint makes of a body: one or more requests, and how their results are written. */
export interface Asked {
  readonly requests: readonly EngineRequest[];
  readonly writer: AnswerWriter;
}

/** All completions in one body. */
export async function answerAtOnce(c: Context, engine: ServedEngine, { requests, writer }: Asked): Promise<Response> {
  checkChoices(engine, requests);
  const results = await withLease(c, engine, (lease) => collectChoices(choiceEvents(lease, requests, false)));
  return results === null ? clientGone() : c.json(writer.whole(results));
}

/**
 * One message per piece of text.
 * @param includeUsage a last message with usage; every other one then says that it has none
 * @param diffusing a message for every step too
 */
export async function answerInEvents(
  c: Context,
  engine: ServedEngine,
  { requests, writer }: Asked,
  includeUsage: boolean,
  diffusing: boolean,
): Promise<Response> {
  checkChoices(engine, requests);
  const withUsage = includeUsage && writer.usage !== undefined;
  return respondWithEvents(c, (send) =>
    withLease(c, engine, async (lease) => {
      const sendChunk = (chunk: object) => send(JSON.stringify(withUsage ? { ...chunk, usage: null } : chunk));
      const dones: DoneEvent[] = [];
      let opened = -1;
      for await (const { choice, event } of choiceEvents(lease, requests, diffusing)) {
        const opening = choice > opened ? writer.opening?.(choice) : null;
        opened = choice;
        if (opening) await sendChunk(opening);
        for (const chunk of chunksOf(writer, choice, event)) await sendChunk(chunk);
        if (event.type === 'done') dones.push(event);
      }
      if (lease.gone.aborted) return;
      if (withUsage) await send(JSON.stringify(writer.usage?.(dones)));
      if (writer.closing !== null) await send(writer.closing);
    }),
  );
}

function chunksOf(writer: AnswerWriter, choice: number, event: EngineEvent): readonly object[] {
  switch (event.type) {
    case 'prompt':
      return listed(writer.prompt?.(choice, event));
    case 'step':
      return listed(writer.step?.(choice, event));
    case 'block':
      return listed(writer.block?.(choice, event));
    case 'span':
      return listed(writer.span?.(choice, event.span));
    case 'edit':
      return [];
    case 'done':
      return [
        ...listed('result' in event ? writer.edit?.(choice, event.result) : undefined),
        writer.done(choice, event),
      ];
  }
}

function listed(chunk: object | undefined): readonly object[] {
  return chunk === undefined ? [] : [chunk];
}
