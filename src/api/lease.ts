/** One admitted request's hold on the engine: ended by completion, error or disconnect, in one place. */
import type { Context } from 'hono';
import type { Admitted } from './host.ts';
import { keepAlive } from './keep-alive.ts';

export interface Lease {
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
  /** For the ways of noticing a disconnect that the request's own signal does not cover. */
  abort(): void;
  /** Frees the cache and lets the request's context end. Safe to call twice. */
  close(): Promise<void>;
}

export function openLease(c: Context, admitted: Admitted): Lease {
  const controller = new AbortController();
  const abort = () => controller.abort();
  const clientSignal = c.req.raw.signal;
  const closed = Promise.withResolvers<void>();
  keepAlive(c, closed.promise);
  if (clientSignal.aborted) abort();
  clientSignal.addEventListener('abort', abort);
  return {
    signal: controller.signal,
    abort,
    async close() {
      clientSignal.removeEventListener('abort', abort);
      try {
        await admitted.release();
      } finally {
        closed.resolve();
      }
    },
  };
}
