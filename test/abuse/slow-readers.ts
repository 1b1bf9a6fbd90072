/** Readers that take next to nothing of more than any socket buffers, beside some that read as they should. */
import { readFile } from 'node:fs/promises';
import { createConnection, type Socket } from 'node:net';
import type { ProcessHost } from '../support/hosts/bare-workerd.ts';
import { FLOOD, type FloodState, STALL_SECONDS } from '../support/hosts/flood-service.ts';

export interface SlowReaders {
  readonly readers: number;
  /** Requests of fast clients while the slow ones were there, and how many of them were served whole. */
  readonly fast: number;
  readonly served: number;
  readonly fastMsMax: number;
  /** Readers that were there at the same time. */
  readonly together: number;
  readonly dropped: number;
  readonly secondsToDropAll: number;
  /** Of the host's process, above what it had before. */
  readonly memoryMib: number;
  readonly left: FloodState;
}

const FAST_EACH_ROUND = 3;

/** Takes a byte a second, or with `bytes` null nothing at all. */
function slowReader(url: URL, bytes: 1 | null): Socket {
  const body = JSON.stringify({ prompt: FLOOD, max_tokens: 4000, stream: true });
  const socket = createConnection({
    port: Number(url.port),
    host: url.hostname,
    // Node reads 64 KB at a time otherwise.
    onread: {
      buffer: Buffer.alloc(1),
      callback() {
        if (bytes !== null) setTimeout(() => socket.resume(), 1000).unref();
        return false;
      },
    },
  });
  socket.on('error', () => {});
  socket.write(
    `POST /v1/completions HTTP/1.1\r\nhost: ${url.host}\r\ncontent-type: application/json\r\n` +
      `content-length: ${body.length}\r\n\r\n${body}`,
  );
  return socket;
}

/** Resident memory of a process, in MiB (Linux). */
async function residentMib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}

/** Half of the readers take nothing, half a byte a second. */
export async function slowReaders({ url, pid }: ProcessHost, readers: number): Promise<SlowReaders> {
  const state = async () => (await (await fetch(new URL('/test/state', url))).json()) as FloodState;
  const fastRequest = async (): Promise<number> => {
    const start = performance.now();
    const response = await fetch(new URL('/v1/completions', url), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ prompt: 'abc', max_tokens: 8, stream: true }),
    });
    const whole = (await response.text()).endsWith('data: [DONE]\n\n');
    return whole ? performance.now() - start : Number.NaN;
  };
  await fastRequest();
  const before = await residentMib(pid);
  const start = performance.now();
  const sockets = Array.from({ length: readers }, (_, i) => slowReader(url, i % 2 === 0 ? 1 : null));
  const fast: number[] = [];
  let [together, peak] = [0, before];
  let now = await state();
  try {
    // Many times the patience: sockets fill first, and many share the host.
    while (performance.now() - start < 30_000 * STALL_SECONDS) {
      for (let i = 0; i < FAST_EACH_ROUND; i++) fast.push(await fastRequest());
      now = await state();
      together = Math.max(together, now.running);
      peak = Math.max(peak, await residentMib(pid));
      if ((now.endings.stalled ?? 0) >= readers) break;
    }
  } finally {
    for (const socket of sockets) socket.destroy();
  }
  const secondsToDropAll = (performance.now() - start) / 1000;
  const left = await state();
  return {
    readers,
    fast: fast.length,
    served: fast.filter((ms) => !Number.isNaN(ms)).length,
    fastMsMax: Math.max(...fast.filter((ms) => !Number.isNaN(ms))),
    together,
    dropped: now.endings.stalled ?? 0,
    secondsToDropAll,
    memoryMib: peak - before,
    left,
  };
}
