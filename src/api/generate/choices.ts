/** The completions of one call, one after another: none waits for room while another of them holds some. */
import type { EngineEvent, EngineRequest } from '../../engine/job.ts';
import type { BlockEvent, PromptEvent } from '../../engine/request.ts';
import type { ServedEngine } from '../host.ts';
import type { Lease } from './lease.ts';
import type { ChoiceResult } from './writer.ts';

/** An event of the completion at an index. */
export interface ChoiceEvent {
  readonly choice: number;
  readonly event: EngineEvent;
}

/** @throws RequestError when one of them could never be served, so that a stream does not begin that cannot end */
export function checkChoices(engine: ServedEngine, requests: readonly EngineRequest[]): void {
  // The first is checked when it is admitted.
  for (const request of requests.slice(1)) engine.check(request);
}

/**
 * The events that a client may see. Each request is admitted in its turn, and gives its room back before the next one asks.
 * Stops when the client is gone.
 * @param diffusing with those that say how a text came about
 * @throws what `Lease.run` throws; Error for an end without `done`
 */
export async function* choiceEvents(
  lease: Lease,
  requests: readonly EngineRequest[],
  diffusing: boolean,
): AsyncGenerator<ChoiceEvent, void, void> {
  for (const [choice, request] of requests.entries()) {
    let finished = false;
    for await (const event of lease.run(request)) {
      if (lease.gone.aborted) return;
      if (event.type === 'done') finished = true;
      if (isVisible(event, diffusing)) yield { choice, event };
    }
    if (lease.gone.aborted) return;
    if (!finished) throw new Error('The engine ended without a finish reason');
  }
}

function isVisible(event: EngineEvent, diffusing: boolean): boolean {
  if (event.type === 'block') return event.text !== '' || event.tokens.length > 0;
  return diffusing || event.type === 'prompt' || event.type === 'done';
}

/** All completions that have ended; fewer than the requests when the client is gone. */
export async function collectChoices(events: AsyncIterable<ChoiceEvent>): Promise<ChoiceResult[]> {
  const results: ChoiceResult[] = [];
  let blocks: BlockEvent[] = [];
  let prompt: PromptEvent | null = null;
  for await (const { event } of events) {
    if (event.type === 'prompt') prompt = event;
    if (event.type === 'block') blocks.push(event);
    if (event.type !== 'done') continue;
    results.push({
      text: blocks.map((block) => block.text).join(''),
      tokens: blocks.flatMap((block) => block.tokens),
      prompt,
      done: event,
      edit: 'result' in event ? event.result : null,
    });
    blocks = [];
    prompt = null;
  }
  return results;
}
