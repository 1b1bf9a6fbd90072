/** The deployed Worker in a local workerd, as `wrangler dev` runs it, with a view into its memory. */
import OpenAI from 'openai';
import { unstable_startWorker } from 'wrangler';

/** Bytes of the isolate. The three parts do not overlap. */
export interface IsolateMemory {
  /** The model's WASM memory, as `/health` reports it. */
  readonly wasm: number;
  /** V8 heap in use. */
  readonly heap: number;
  /** Memory of array buffers. */
  readonly buffers: number;
}

export interface Isolate {
  readonly url: URL;
  /** It does not retry: a bench has to show a refusal. */
  readonly client: OpenAI;
  memory(): Promise<IsolateMemory>;
  stop(): Promise<void>;
}

/** As `npm run dev` sets them. */
const OPEN = { ACCESS: { type: 'plain_text', value: 'open' }, RATE_LIMIT: { type: 'plain_text', value: '0' } } as const;

export type Bindings = NonNullable<Parameters<typeof unstable_startWorker>[0]['bindings']>;

/**
 * @param bindings in place of those of `wrangler.toml`
 * @param state a directory for what R2 and the like keep
 */
export async function startIsolate(bindings: Bindings = OPEN, state?: string): Promise<Isolate> {
  // Offline, the lookup of a sample `request.cf` would only fail after a while.
  process.env.CLOUDFLARE_CF_FETCH_ENABLED = 'false';
  const worker = await unstable_startWorker({
    config: 'wrangler.toml',
    bindings,
    dev: {
      server: { port: 0 },
      inspector: { hostname: '127.0.0.1', port: 0 },
      logLevel: 'error',
      watch: false,
      ...(state !== undefined && { persist: state }),
    },
  });
  await worker.ready;
  const url = await worker.url;
  const inspector = await worker.inspectorUrl;
  return {
    url,
    client: new OpenAI({ baseURL: new URL('/v1', url).href, apiKey: 'bench', maxRetries: 0 }),
    memory: async () => ({ wasm: await wasmBytes(url), ...(await heapUsage(inspector as URL)) }),
    stop: () => worker.dispose(),
  };
}

async function wasmBytes(url: URL): Promise<number> {
  const health = (await (await fetch(new URL('/health', url))).json()) as { memory_bytes?: { total: number } };
  if (!health.memory_bytes) throw new Error('the Worker has not loaded its model');
  return health.memory_bytes.total;
}

/** `Runtime.getHeapUsage` of the inspector, in bytes. */
interface HeapUsage {
  readonly usedSize: number;
  readonly backingStorageSize: number;
}

/** workerd does not answer `HeapProfiler.collectGarbage`, so garbage that is not yet collected is counted. */
async function heapUsage(inspector: URL): Promise<{ heap: number; buffers: number }> {
  const targets = (await (await fetch(new URL('/json', inspector))).json()) as { webSocketDebuggerUrl: string }[];
  // The inspector proxy refuses a caller that does not look like a local browser.
  const headers = { origin: 'http://localhost', 'user-agent': 'seedling-bench' };
  const socket = new WebSocket(targets[0]!.webSocketDebuggerUrl, { headers } as unknown as string[]);
  try {
    const usage = await new Promise<HeapUsage>((resolve, reject) => {
      socket.onerror = () => reject(new Error(`no connection to the inspector at ${inspector}`));
      socket.onopen = () => socket.send(JSON.stringify({ id: 1, method: 'Runtime.getHeapUsage' }));
      socket.onmessage = (event: MessageEvent<string>) => {
        const message = JSON.parse(event.data);
        if (message.id === 1) resolve(message.result);
      };
    });
    return { heap: usage.usedSize, buffers: usage.backingStorageSize };
  } finally {
    socket.close();
  }
}
