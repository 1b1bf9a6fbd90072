/** The completions of one request, one after another: none waits for room while another of them holds some. */
import type {
  BlockEvent,
  DoneEvent,
  EngineEvent,
  EngineStep,
  GenerateRequest,
  PromptEvent,
} from '../../engine/request.ts';
import type { Admitted, Engine } from '../host.ts';
import type { Lease } from './lease.ts';

/** An event of the completion at an index. */
export interface ChoiceEvent {
  readonly choice: number;
  readonly event: EngineEvent;
}

/** One completion that has ended. */
export interface ChoiceResult {
  readonly text: string;
  readonly tokens: PromptEvent['tokens'];
  /** Where the prompt's tokens were asked for. */
  readonly prompt: PromptEvent | null;
  readonly done: DoneEvent;
}

/** @throws RequestError when one of them could never be served, so that a stream does not begin that cannot end */
export function checkChoices(engine: Engine, requests: readonly GenerateRequest[]): void {
  // The first is checked when it is admitted.
  for (const request of requests.slice(1)) engine.check(request);
}

/**
 * Events that a client sees. The first request has been admitted by the lease; the others are admitted in their turn, and
 * each gives its room back before the next one asks. Stops at an abort.
 * @throws what `admit` and `run` throw; Error for an end without `done`
 */
export async function* choiceEvents(
  engine: Engine,
  { admitted: first, signal }: Lease,
  requests: readonly GenerateRequest[],
): AsyncGenerator<ChoiceEvent, void, void> {
  for (const [choice, request] of requests.entries()) {
    const admitted = choice === 0 ? first : await engine.admit(request, signal);
    try {
      for await (const event of visibleEvents(admitted, signal)) yield { choice, event };
    } finally {
      await admitted.release();
    }
    if (signal.aborted) return;
  }
}

async function* visibleEvents(admitted: Admitted, signal: AbortSignal): AsyncGenerator<EngineEvent, void, void> {
  let finished = false;
  for await (const event of admitted.run(signal)) {
    if (signal.aborted) return;
    if (event.type === 'done') finished = true;
    if (event.type !== 'block' || event.text !== '' || event.tokens.length > 0) yield event;
  }
  if (!finished && !signal.aborted) throw new Error('The engine ended without a finish reason');
}

/** All completions when they have ended; null after an abort. */
export async function collectChoices(
  events: AsyncIterable<ChoiceEvent>,
  count: number,
): Promise<ChoiceResult[] | null> {
  const results: ChoiceResult[] = [];
  let blocks: BlockEvent[] = [];
  let prompt: PromptEvent | null = null;
  for await (const { event } of events) {
    if (event.type === 'prompt') prompt = event;
    if (event.type === 'block') blocks.push(event);
    if (event.type !== 'done') continue;
    const text = blocks.map((block) => block.text).join('');
    results.push({ text, tokens: blocks.flatMap((block) => block.tokens), prompt, done: event });
    blocks = [];
    prompt = null;
  }
  return results.length === count ? results : null;
}

/** How an endpoint writes a stream: one message each, or none. */
export interface ChunkWriter {
  /** Before anything else of a completion. */
  opening?(choice: number): object | null;
  prompt?(choice: number, event: PromptEvent): object;
  block(choice: number, event: BlockEvent): object;
  /** Null where the endpoint has none. */
  step?(choice: number, event: EngineStep): object;
  done(choice: number, event: DoneEvent): object;
  usage?(dones: readonly DoneEvent[]): object;
}
