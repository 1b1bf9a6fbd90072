/** Stops the Node host on a signal, and lets running answers finish. */
import { setTimeout } from 'node:timers/promises';
import type { Drain } from '../../../api/middleware/drain.ts';
import type { NodeServer } from './server.ts';

/** Time to send answers that are already written, in milliseconds. */
const LAST_BYTES_MS = 1000;

/**
 * After the first signal new requests get 503, and `/health` says why. Running answers go on for at most the grace time.
 * Then the server closes and the process ends. A second signal ends the process at once.
 */
export function stopOnSignals(server: NodeServer, drain: Drain, graceSeconds: number): void {
  let stopping = false;
  const stop = async () => {
    if (stopping) process.exit(1);
    stopping = true;
    const drained = drain.start().then(() => true);
    const grace = new AbortController();
    const late = setTimeout(graceSeconds * 1000, false, { signal: grace.signal }).catch(() => false);
    const done = await Promise.race([drained, late]);
    grace.abort();
    console.log(done ? 'All answers are finished.' : `${drain.calls} answers are cut after ${graceSeconds} seconds.`);
    await server.stop(done ? LAST_BYTES_MS : 0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop());
}
