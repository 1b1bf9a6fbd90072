import type { Context } from 'hono';
import type { Engine, Host } from './host.ts';
import { keepAlive } from './keep-alive.ts';

/** The engine, loaded by whoever asks first: the load goes on when that client goes away. */
export function loadEngine(c: Context, host: Host): Promise<Engine> {
  const loading = host.engine();
  keepAlive(c, loading);
  return loading;
}
