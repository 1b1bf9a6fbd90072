/**
 * The deployed Worker in workerd under 1, 4 and 16 streaming clients. The same 16 requests are served each time, one after
 * another or at once, so the only difference is how the isolate divides its time. Beside it one client at block length 1: what
 * an isolate gives that decides one token at a time for one request at a time.
 */
import { InputError } from '../scripts/suites.ts';
import { median, percentile, round } from './median.ts';
import { PROMPT_OF_24, salted } from './prompts.ts';
import { size } from './settings.ts';
import { type StreamedCompletion, streamCompletion } from './streamed-completion.ts';
import { type Isolate, startIsolate } from './workerd.ts';

/** 16 requests of 24 + 96 tokens fit together into the 2,048 of the default KV pool. */
const PROMPT_TOKENS = 24;
const MAX_TOKENS = 96;
const REQUESTS = 16;
const CLIENTS = [1, 4, 16] as const;
/** Requests whose texts are compared with those of lone requests. */
const COMPARED = 4;
const SAMPLE_MS = 250;
const MIB = 1 << 20;

/** One run of all requests. */
interface Load {
  readonly requests: readonly Asked[];
  /** Tokens per second of all clients together, waits for first tokens included. */
  readonly aggregate: number;
  /** Tokens per second after the first one, of all clients together. */
  readonly decoding: number;
  /** Of every request, to its first text. */
  readonly firstMs: readonly number[];
  /** Tokens per second of the slowest client over the fastest's. */
  readonly fairness: number;
  /** The same in forwards: tokens per forward depend on the text, forwards do not. */
  readonly forwardFairness: number;
}

interface Asked extends StreamedCompletion {
  readonly prompt: string;
}

export async function run(): Promise<object> {
  const repeats = size('BENCH_ROUNDS', 5);
  const requests = size('BENCH_REQUESTS', REQUESTS);
  const maxTokens = size('BENCH_TOKENS', MAX_TOKENS);
  const most = CLIENTS.at(-1)!;
  if (requests % most !== 0) throw new InputError(`BENCH_REQUESTS must be a multiple of ${most}, not ${requests}`);
  const isolate = await startIsolate();
  const loads = new Map<number, Load[]>(CLIENTS.map((clients) => [clients, []]));
  const single: Load[] = [];
  try {
    await serve(isolate, { clients: 1, requests: 1, maxTokens });
    const watch = watchMemory(isolate);
    for (let i = 0; i < repeats; i++) {
      single.push(await serve(isolate, { clients: 1, requests: Math.ceil(requests / 4), maxTokens, blockLength: 1 }));
      for (const clients of CLIENTS) loads.get(clients)!.push(await serve(isolate, { clients, requests, maxTokens }));
    }
    const isolateBytes = await watch.end();
    const unequal = await differFromAlone(isolate, loads.get(most)!.at(-1)!, maxTokens);
    return report(loads, single, isolateBytes, unequal);
  } finally {
    await isolate.stop();
  }
}

interface LoadSize {
  readonly clients: number;
  /** Of all clients together. */
  readonly requests: number;
  readonly maxTokens: number;
  readonly blockLength?: number;
}

/** Completions, shared equally by clients that each wait for one to end before the next. */
async function serve(isolate: Isolate, { clients, requests, maxTokens, blockLength }: LoadSize): Promise<Load> {
  const start = performance.now();
  const perClient = await Promise.all(
    Array.from({ length: clients }, async () => {
      const done: Asked[] = [];
      for (let i = 0; i < requests / clients; i++) {
        const prompt = salted(PROMPT_OF_24);
        done.push({ prompt, ...(await streamCompletion(isolate.client, { prompt, maxTokens, blockLength })) });
      }
      return done;
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  const all = perClient.flat();
  const other = all.find(({ promptTokens }) => promptTokens !== PROMPT_TOKENS);
  if (other) throw new Error(`a prompt has ${other.promptTokens} tokens, not ${PROMPT_TOKENS}`);
  const after = all.map(({ tokens, totalMs, firstMs }) => ((tokens - 1) / (totalMs - firstMs)) * 1000);
  return {
    requests: all,
    aggregate: sum(all, ({ tokens }) => tokens) / seconds,
    decoding: (clients * sum(after, (rate) => rate)) / after.length,
    firstMs: all.map(({ firstMs }) => firstMs),
    fairness: slowestOverFastest(perClient, ({ tokens }) => tokens),
    forwardFairness: slowestOverFastest(perClient, ({ nfe }) => nfe),
  };
}

/** How many texts are not those of the same requests alone. */
async function differFromAlone(isolate: Isolate, { requests }: Load, maxTokens: number): Promise<number> {
  let unequal = 0;
  for (const { prompt, text } of requests.slice(0, COMPARED)) {
    const alone = await streamCompletion(isolate.client, { prompt, maxTokens, blockLength: 1 });
    if (alone.text !== text) unequal++;
  }
  return unequal;
}

/** Samples the bytes of the isolate until `end`. */
function watchMemory(isolate: Isolate) {
  let highest = 0;
  let sampling = Promise.resolve();
  const sample = async () => {
    const { wasm, heap, buffers } = await isolate.memory();
    highest = Math.max(highest, wasm + heap + buffers);
  };
  // A sample waits for the isolate's thread: the next one follows it.
  const timer = setInterval(() => {
    sampling = sampling.then(sample);
  }, SAMPLE_MS);
  return {
    /** @returns the highest sample */
    async end(): Promise<number> {
      clearInterval(timer);
      await sampling;
      await sample();
      return highest;
    },
  };
}

function slowestOverFastest(perClient: readonly StreamedCompletion[][], of: (run: StreamedCompletion) => number) {
  const rates = perClient.map((runs) => sum(runs, of) / sum(runs, ({ totalMs }) => totalMs));
  return Math.min(...rates) / Math.max(...rates);
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

function report(
  loads: ReadonlyMap<number, readonly Load[]>,
  single: readonly Load[],
  isolateBytes: number,
  unequal: number,
): object {
  const lone = median(single.flatMap((run) => run.firstMs));
  const rows = [...loads].map(([clients, runs]) => {
    const firstMs = runs.flatMap((run) => run.firstMs);
    // Rounds alternate, so a ratio within a round is free of drift between rounds.
    const ofSingle = (of: (load: Load) => number) => round(median(runs.map((run, i) => of(run) / of(single[i]!))), 2);
    return {
      clients,
      aggregate: round(median(runs.map((run) => run.aggregate)), 1),
      ofSingle: ofSingle((load) => load.aggregate),
      decodingOfSingle: ofSingle((load) => load.decoding),
      p50: round(percentile(firstMs, 0.5), 0),
      p95: round(percentile(firstMs, 0.95), 0),
      firstOfLone: round(percentile(firstMs, 0.5) / lone, 1),
      fairness: round(median(runs.map((run) => run.fairness))),
      forwardFairness: round(median(runs.map((run) => run.forwardFairness))),
    };
  });
  for (const row of rows) {
    console.log(
      `${row.clients} clients: ${row.aggregate} tokens/s together, ${row.ofSingle} of one client at block length 1, after the ` +
        `first token ${row.decodingOfSingle}; first token after ${row.p50} ms (p50), ${row.p95} ms (p95), ${row.firstOfLone} of a ` +
        `lone client's; slowest over fastest ${row.fairness} in tokens, ${row.forwardFairness} in forwards`,
    );
  }
  console.log(
    `isolate at most: ${round(isolateBytes / MIB, 1)} MiB; ${unequal} of ${COMPARED} texts differ from lone ones`,
  );
  const by = <T>(of: (row: (typeof rows)[number]) => T) =>
    Object.fromEntries(rows.map((row) => [row.clients, of(row)]));
  const last = rows.at(-1);
  return {
    aggregate: by((row) => row.aggregate),
    ratio_single: by((row) => row.ofSingle),
    ratio_single_decoding: by((row) => row.decodingOfSingle),
    ttft_p50_ms: by((row) => row.p50),
    ttft_p95_ms: by((row) => row.p95),
    ttft_of_lone: by((row) => row.firstOfLone),
    fairness_16: last?.fairness,
    fairness_forwards_16: last?.forwardFairness,
    isolate_bytes: isolateBytes,
    texts_unequal: unequal,
  };
}
