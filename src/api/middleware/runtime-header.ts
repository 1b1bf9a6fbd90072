/** Names the runtime in every answer. */
import type { MiddlewareHandler } from 'hono';
import type { Host } from '../host.ts';

/** Which runtime the model runs on: with the setting `auto` only the host itself knows. */
const RUNTIME_HEADER = 'x-seedling-runtime';

/** From the moment that the model is loaded. */
export function nameRuntime(host: Host): MiddlewareHandler {
  return async (c, next) => {
    await next();
    const state = host.state();
    if (state.status === 'ok') c.res.headers.set(RUNTIME_HEADER, state.engine.model.runtime);
  };
}
