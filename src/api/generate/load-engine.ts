import type { Context } from 'hono';
import { ApiError } from '../errors.ts';
import type { Host, ServedEngine } from '../host.ts';
import { holdOpen } from '../middleware/hold-open.ts';

const RETRY_SECONDS = 5;

/**
 * The engine. The first caller starts the load, which goes on when that client goes away.
 * @throws what the load does; ApiError 503 where it takes longer than the request may
 */
export async function loadEngine(c: Context, host: Host): Promise<ServedEngine> {
  const call = c.get('call');
  const loading = host.engine();
  holdOpen(c, loading);
  const late = Promise.withResolvers<never>();
  const alarm = setTimeout(
    () => {
      call.end('deadline');
      const message = `${host.modelName} is still being loaded: try again in a while.`;
      late.reject(new ApiError(503, message, 'model_loading', null, RETRY_SECONDS));
    },
    Math.max(call.msLeft, 0),
  );
  try {
    return await Promise.race([loading, late.promise]);
  } finally {
    clearTimeout(alarm);
  }
}
