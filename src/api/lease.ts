/** One request's hold on the engine: ended by completion, error, deadline or disconnect, in one place. */
import type { Context } from 'hono';
import type { EngineEvent, GenerateRequest } from '../engine/request.ts';
import type { Call } from './call.ts';
import { ApiError, DEADLINE_EXCEEDED } from './errors.ts';
import type { Admitted, Engine } from './host.ts';
import { keepAlive } from './keep-alive.ts';

export interface Lease {
  readonly admitted: Admitted;
  /** Aborts when the client goes away, and only then: a deadline is an error that `admitted` throws. */
  readonly signal: AbortSignal;
  /** For the ways of noticing a disconnect that the request's own signal does not cover. */
  abort(): void;
  /** Frees the cache and lets the request's context end. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * Waits until the engine has room, and gives up when the client does or the request's time is over.
 * @returns null when the client went away while it waited
 * @throws what `Engine.admit` throws; ApiError 504 after the deadline
 */
export async function openLease(c: Context, engine: Engine, request: GenerateRequest): Promise<Lease | null> {
  const call = c.get('call');
  const client = new AbortController();
  /** What the engine sees: it ends for a client that has gone, and for a deadline. */
  const work = new AbortController();
  const abort = () => {
    call?.end('client_gone');
    client.abort();
    work.abort();
  };
  const signals = call ? [c.req.raw.signal, call.gone] : [c.req.raw.signal];
  const closed = Promise.withResolvers<void>();
  keepAlive(c, closed.promise);
  call?.lastsFor(closed.promise);
  for (const signal of signals) {
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
  }
  const alarm = call && setTimeout(() => work.abort(deadline(call)), Math.max(call.msLeft, 0));
  const unwatch = () => {
    clearTimeout(alarm);
    for (const signal of signals) signal.removeEventListener('abort', abort);
  };
  try {
    const own = call?.client ? { ...request, cacheKey: call.client.cacheKey } : request;
    const admitted = await engine.admit(own, work.signal);
    return {
      admitted: {
        run: () => counted(admitted.run(work.signal), call),
        release: () => admitted.release(),
      },
      signal: client.signal,
      abort,
      async close() {
        unwatch();
        try {
          await admitted.release();
        } finally {
          closed.resolve();
        }
      },
    };
  } catch (error) {
    unwatch();
    closed.resolve();
    if (client.signal.aborted) return null;
    throw error;
  }
}

function deadline(call: Call): ApiError {
  call.end('deadline');
  const message = `The request took longer than the ${call.patience.requestSeconds} seconds that this server allows.`;
  return new ApiError(504, message, DEADLINE_EXCEEDED);
}

async function* counted(events: AsyncGenerator<EngineEvent>, call: Call | undefined): AsyncGenerator<EngineEvent> {
  for await (const event of events) {
    call?.count(event);
    yield event;
  }
}
