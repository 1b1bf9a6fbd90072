/** Holds a Workers request's context open past a disconnect; a no-op where the runtime needs none. */
import type { Context } from 'hono';

/**
 * Without it workerd freezes a handler whose client has gone, so `finally` never runs; and a model load started by
 * that request would hang for everybody who waits for it.
 */
export function keepAlive(c: Context, work: Promise<unknown>): void {
  const settled = work.catch(() => {});
  try {
    c.executionCtx.waitUntil(settled);
  } catch {
    // Hono throws where the runtime has no execution context, as on Node.
  }
}
