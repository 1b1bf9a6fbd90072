import type { Context } from 'hono';
import { engineOf } from './call-engine.ts';
import type { Engine, Host } from './host.ts';
import { keepAlive } from './keep-alive.ts';

/** The engine, loaded by whoever asks first: the load goes on when that client goes away. */
export async function loadEngine(c: Context, host: Host): Promise<Engine> {
  const loading = host.engine();
  keepAlive(c, loading);
  const engine = await loading;
  const call = c.get('call');
  return call ? engineOf(call, engine) : engine;
}
