/** One request's hold on the engine: ended by completion, error or disconnect, in one place. */
import type { Context } from 'hono';
import type { Admitted } from '../host.ts';
import { holdOpen } from '../middleware/hold-open.ts';

export interface Lease<A = Admitted> {
  readonly admitted: A;
  /** Aborts when the client goes away, and only then: a deadline is an error that `admitted` throws. */
  readonly signal: AbortSignal;
  /** For the ways of noticing a disconnect that the request's own signal does not cover. */
  abort(): void;
  /** Frees the cache and lets the request's context end. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * Waits until the engine has room, and gives up when the client does.
 * @returns null when the client went away while it waited
 * @throws what `Engine.admit` throws
 */
export async function openLease<R, A extends Pick<Admitted, 'release'>>(
  c: Context,
  engine: { admit(request: R, signal: AbortSignal): Promise<A> },
  request: R,
): Promise<Lease<A> | null> {
  const call = c.get('call');
  const controller = new AbortController();
  const abort = () => {
    call.end('client_gone');
    controller.abort();
  };
  const signals = [c.req.raw.signal, call.gone];
  const closed = Promise.withResolvers<void>();
  holdOpen(c, closed.promise);
  call.lastsFor(closed.promise);
  for (const signal of signals) {
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
  }
  const unwatch = () => {
    for (const signal of signals) signal.removeEventListener('abort', abort);
  };
  try {
    const admitted = await engine.admit(request, controller.signal);
    return {
      admitted,
      signal: controller.signal,
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
    if (controller.signal.aborted) return null;
    throw error;
  }
}
