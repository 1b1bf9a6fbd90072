import type { Context } from 'hono';
import { ApiError } from '../errors.ts';
import type { Engine, Host } from '../host.ts';
import { holdOpen } from '../middleware/hold-open.ts';
import { engineOf } from './call-engine.ts';

const RETRY_SECONDS = 5;

/**
 * The engine, loaded by whoever asks first: the load goes on when that client goes away.
 * @throws what the load does; ApiError 503 where it takes longer than the request may
 */
export async function loadEngine(c: Context, host: Host): Promise<Engine> {
  const loading = host.engine();
  holdOpen(c, loading);
  const call = c.get('call');
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
    return engineOf(call, await Promise.race([loading, late.promise]));
  } finally {
    clearTimeout(alarm);
  }
}
