/** One request's hold on the engine: ended by completion, error, deadline or disconnect, in one place. */
import type { Context } from 'hono';
import type { EditEvent } from '../engine/edit-request.ts';
import type { EngineEvent, GenerateRequest } from '../engine/request.ts';
import type { Call } from './call.ts';
import { ApiError, DEADLINE_EXCEEDED } from './errors.ts';
import type { Admitted } from './host.ts';
import { keepAlive } from './keep-alive.ts';

export interface Lease<E = EngineEvent, R = GenerateRequest> {
  readonly admitted: Admitted<E>;
  /** Another part of the same call: same client, same deadline. Whoever asks for it releases it. @throws what `openLease` does */
  readonly admit: (request: R) => Promise<Admitted<E>>;
  /** Aborts when the client goes away, and only then: a deadline is an error that `admitted` throws. */
  readonly signal: AbortSignal;
  /** For the ways of noticing a disconnect that the request's own signal does not cover. */
  abort(): void;
  /** Frees the cache and lets the request's context end. Safe to call twice. */
  close(): Promise<void>;
}

/** The way into the engine for one kind of request. */
interface Entrance<E, R> {
  admit(request: R, signal: AbortSignal): Promise<Admitted<E>>;
}

/**
 * Waits until the engine has room, and gives up when the client does or the request's time is over.
 * @returns null when the client went away while it waited
 * @throws what `admit` throws; ApiError 504 after the deadline
 */
export async function openLease<E extends EngineEvent | EditEvent, R extends object>(
  c: Context,
  engine: Entrance<E, R>,
  request: R,
): Promise<Lease<E, R> | null> {
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
  const admit = async (request: R): Promise<Admitted<E>> => {
    const admitted = await engine.admit(owned(request, call), work.signal);
    return {
      run: () => counted(admitted.run(work.signal), call),
      release: () => admitted.release(),
    };
  };
  try {
    const admitted = await admit(request);
    return {
      admitted,
      admit,
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

/** Only requests of one client find each other's KV. */
function owned<R extends object>(request: R, call: Call | undefined): R {
  return call?.client && 'cacheKey' in request ? { ...request, cacheKey: call.client.cacheKey } : request;
}

function deadline(call: Call): ApiError {
  call.end('deadline');
  const message = `The request took longer than the ${call.patience.requestSeconds} seconds that this server allows.`;
  return new ApiError(504, message, DEADLINE_EXCEEDED);
}

async function* counted<E extends EngineEvent | EditEvent>(
  events: AsyncGenerator<E>,
  call: Call | undefined,
): AsyncGenerator<E> {
  for await (const event of events) {
    call?.count(event);
    yield event;
  }
}
