/** One call's hold on the engine. It ends by completion, error, disconnect or deadline, and in one place. */
import type { Context } from 'hono';
import type { EngineEvent, EngineRequest } from '../../engine/job.ts';
import { ApiError, DEADLINE_EXCEEDED } from '../errors.ts';
import type { ServedEngine } from '../host.ts';
import type { Call } from '../middleware/call.ts';
import { holdOpen } from '../middleware/hold-open.ts';

/**
 * Every request of the call goes through `run`, so each has the cache of its client, ends at the deadline, and is counted.
 */
export class Lease {
  /** Aborts when the client goes away, and only then. A deadline is an error that `run` throws. */
  readonly gone: AbortSignal;
  readonly #call: Call;
  readonly #engine: ServedEngine;
  readonly #late = new AbortController();
  /** Aborts when the client goes away, and at the deadline with the error to show. */
  readonly #over: AbortSignal;

  constructor(call: Call, engine: ServedEngine, gone: AbortSignal) {
    this.#call = call;
    this.#engine = engine;
    this.gone = gone;
    this.#over = AbortSignal.any([gone, this.#late.signal]);
  }

  /**
   * Waits for room, works, and gives the room back.
   * @throws what `Engine.admit` and `Admitted.run` throw; ApiError 504 after the deadline
   */
  async *run(request: EngineRequest): AsyncGenerator<EngineEvent, void, void> {
    const { cacheKey, shareKey } = this.#call.client;
    const own = request.kind === 'generate' ? { ...request, cacheKey } : request;
    const job = await this.#engine.admit(own, this.#over, shareKey);
    try {
      for await (const event of job.run(this.#over)) {
        this.#call.count(event);
        yield event;
      }
    } finally {
      await job.release();
    }
  }

  expire(): void {
    this.#call.end('deadline');
    const { requestSeconds } = this.#call.patience;
    const message = `The request took longer than the ${requestSeconds} seconds that this server allows.`;
    this.#late.abort(new ApiError(504, message, DEADLINE_EXCEEDED));
  }
}

/**
 * Holds the call open while `work` uses the engine.
 * @returns null when the client went away
 * @throws what `work` throws
 */
export async function withLease<T>(
  c: Context,
  engine: ServedEngine,
  work: (lease: Lease) => Promise<T>,
): Promise<T | null> {
  const call = c.get('call');
  const closed = Promise.withResolvers<void>();
  holdOpen(c, closed.promise);
  const gone = AbortSignal.any([c.req.raw.signal, call.gone]);
  const note = () => call.end('client_gone');
  if (gone.aborted) note();
  gone.addEventListener('abort', note);
  const lease = new Lease(call, engine, gone);
  // Not `AbortSignal.timeout`, which nobody can stop: it would outlive the request.
  const alarm = setTimeout(() => lease.expire(), Math.max(call.msLeft, 0));
  try {
    const result = await work(lease);
    return gone.aborted ? null : result;
  } catch (error) {
    if (gone.aborted) return null;
    throw error;
  } finally {
    clearTimeout(alarm);
    gone.removeEventListener('abort', note);
    closed.resolve();
  }
}
