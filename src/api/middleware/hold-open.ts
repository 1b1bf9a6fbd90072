/** Keeps a Workers request's context open after a disconnect. Other hosts need nothing, and there it does nothing. */
import type { Context } from 'hono';

/**
 * Without it workerd freezes a handler whose client has gone, so `finally` never runs, and a model load that the
 * request started would hang for everybody who waits for it.
 */
export function holdOpen(c: Context, work: Promise<unknown>): void {
  const settled = work.catch(() => {});
  try {
    c.executionCtx.waitUntil(settled);
  } catch {
    // Hono throws where the runtime has no execution context, as on Node.
  }
}
