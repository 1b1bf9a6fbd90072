/** The deployed Worker in a local workerd, as `wrangler dev` runs it, with a view into its memory. */
import { once } from 'node:events';
import { unstable_startWorker } from 'wrangler';

export interface Isolate {
  readonly url: URL;
  /** Milliseconds from sending a streamed completion to the first SSE byte. */
  firstByteMs(body: object): Promise<number>;
  /** Bytes of the isolate: V8 heap in use, and what backs array buffers and WASM memories. */
  memory(): Promise<{ heap: number; buffers: number }>;
  stop(): Promise<void>;
}

export async function startIsolate(): Promise<Isolate> {
  // Offline, the lookup of a sample `request.cf` would only fail after a while.
  process.env.CLOUDFLARE_CF_FETCH_ENABLED = 'false';
  const worker = await unstable_startWorker({
    config: 'wrangler.toml',
    dev: { server: { port: 0 }, inspector: { hostname: '127.0.0.1', port: 0 }, logLevel: 'error', watch: false },
  });
  await worker.ready;
  const url = await worker.url;
  const inspector = await worker.inspectorUrl;
  return {
    url,
    async firstByteMs(body) {
      const start = performance.now();
      const response = await fetch(new URL('/v1/completions', url), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...body, stream: true }),
      });
      if (!response.ok || !response.body) throw new Error(`${response.status} ${await response.text()}`);
      const reader = response.body.getReader();
      await reader.read();
      const elapsed = performance.now() - start;
      while (!(await reader.read()).done);
      return elapsed;
    },
    memory: () => heapUsage(inspector as URL),
    stop: () => worker.dispose(),
  };
}

async function heapUsage(inspector: URL): Promise<{ heap: number; buffers: number }> {
  const socket = new WebSocket(inspector);
  await once(socket, 'open');
  const call = async (id: number, method: string): Promise<Record<string, number>> => {
    socket.send(JSON.stringify({ id, method }));
    for (;;) {
      const [event] = (await once(socket, 'message')) as [MessageEvent<string>];
      const message = JSON.parse(event.data);
      if (message.id === id) return message.result ?? {};
    }
  };
  // What garbage remains is the collector's choice, not the project's.
  await call(1, 'HeapProfiler.collectGarbage');
  const usage = await call(2, 'Runtime.getHeapUsage');
  socket.close();
  return { heap: usage.usedSize ?? Number.NaN, buffers: usage.backingStorageSize ?? Number.NaN };
}
