/** The deployed Worker in a local workerd, as `wrangler dev` runs it, with a view into its memory. */
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

/** workerd does not answer `HeapProfiler.collectGarbage`: garbage not yet collected is counted. */
async function heapUsage(inspector: URL): Promise<{ heap: number; buffers: number }> {
  const targets = (await (await fetch(new URL('/json', inspector))).json()) as { webSocketDebuggerUrl: string }[];
  // The inspector proxy turns away what does not look like a local browser.
  const headers = { origin: 'http://localhost', 'user-agent': 'seedling-bench' };
  const socket = new WebSocket(targets[0]?.webSocketDebuggerUrl ?? '', { headers } as unknown as string[]);
  try {
    const usage = await new Promise<Record<string, number>>((resolve, reject) => {
      socket.onerror = () => reject(new Error(`no connection to the inspector at ${inspector}`));
      socket.onopen = () => socket.send(JSON.stringify({ id: 1, method: 'Runtime.getHeapUsage' }));
      socket.onmessage = (event: MessageEvent<string>) => {
        const message = JSON.parse(event.data);
        if (message.id === 1) resolve(message.result);
      };
    });
    return { heap: usage.usedSize ?? Number.NaN, buffers: usage.backingStorageSize ?? Number.NaN };
  } finally {
    socket.close();
  }
}
