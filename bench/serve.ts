/**
 * The deployed Worker in workerd under 1, 4 and 16 streaming clients. The same 16 requests are served each time, one after
 * another or at once, so the only difference is how the isolate divides its time.
 */
import { InputError } from '../scripts/suites.ts';
import { median, percentile, round } from './median.ts';
import { PROMPT_OF_24, salted } from './prompts.ts';
import { size } from './settings.ts';
import { type StreamedCompletion, streamCompletion } from './streamed-completion.ts';
import { type Isolate, startIsolate } from './workerd.ts';

/** 16 requests of 24 + 32 tokens fit together into the 2,048 of the default KV pool. */
const PROMPT_TOKENS = 24;
const MAX_TOKENS = 32;
const REQUESTS = 16;
const CLIENTS = [1, 4, 16] as const;

/** One run of all requests. */
interface Load {
  /** Tokens per second of all clients together. */
  readonly aggregate: number;
  /** Of every request, to its first text. */
  readonly firstMs: readonly number[];
  /** Tokens per second of the slowest client over the fastest's. */
  readonly fairness: number;
  /** The same in forwards: tokens per forward depend on the text, forwards do not. */
  readonly forwardFairness: number;
}

export async function run(): Promise<object> {
  const repeats = size('BENCH_ROUNDS', 5);
  const requests = size('BENCH_REQUESTS', REQUESTS);
  const maxTokens = size('BENCH_TOKENS', MAX_TOKENS);
  const most = CLIENTS.at(-1)!;
  if (requests % most !== 0) throw new InputError(`BENCH_REQUESTS must be a multiple of ${most}, not ${requests}`);
  const isolate = await startIsolate();
  const loads = new Map<number, Load[]>(CLIENTS.map((clients) => [clients, []]));
  try {
    await serve(isolate, { clients: 1, requests: 1, maxTokens });
    for (let i = 0; i < repeats; i++) {
      for (const clients of CLIENTS) loads.get(clients)!.push(await serve(isolate, { clients, requests, maxTokens }));
    }
    const { wasm, heap, buffers } = await isolate.memory();
    return report(loads, wasm + heap + buffers);
  } finally {
    await isolate.stop();
  }
}

interface LoadSize {
  readonly clients: number;
  /** Of all clients together. */
  readonly requests: number;
  readonly maxTokens: number;
}

/** Completions, shared equally by clients that each wait for one to end before the next. */
async function serve(isolate: Isolate, { clients, requests, maxTokens }: LoadSize): Promise<Load> {
  const start = performance.now();
  const perClient = await Promise.all(
    Array.from({ length: clients }, async () => {
      const done: StreamedCompletion[] = [];
      for (let i = 0; i < requests / clients; i++) {
        done.push(await streamCompletion(isolate.client, { prompt: salted(PROMPT_OF_24), maxTokens }));
      }
      return done;
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  const all = perClient.flat();
  const other = all.find(({ promptTokens }) => promptTokens !== PROMPT_TOKENS);
  if (other) throw new Error(`a prompt has ${other.promptTokens} tokens, not ${PROMPT_TOKENS}`);
  return {
    aggregate: sum(all, ({ tokens }) => tokens) / seconds,
    firstMs: all.map(({ firstMs }) => firstMs),
    fairness: slowestOverFastest(perClient, ({ tokens }) => tokens),
    forwardFairness: slowestOverFastest(perClient, ({ nfe }) => nfe),
  };
}

function slowestOverFastest(perClient: readonly StreamedCompletion[][], of: (run: StreamedCompletion) => number) {
  const rates = perClient.map((runs) => sum(runs, of) / sum(runs, ({ totalMs }) => totalMs));
  return Math.min(...rates) / Math.max(...rates);
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

function report(loads: ReadonlyMap<number, readonly Load[]>, isolateBytes: number): object {
  const rows = [...loads].map(([clients, runs]) => {
    const firstMs = runs.flatMap((run) => run.firstMs);
    return {
      clients,
      aggregate: round(median(runs.map((run) => run.aggregate)), 1),
      p50: round(percentile(firstMs, 0.5), 0),
      p95: round(percentile(firstMs, 0.95), 0),
      fairness: round(median(runs.map((run) => run.fairness))),
      forwardFairness: round(median(runs.map((run) => run.forwardFairness))),
    };
  });
  for (const { clients, aggregate, p50, p95, fairness, forwardFairness } of rows) {
    console.log(
      `${clients} clients: ${aggregate} tokens/s together, first token after ${p50} ms (p50), ${p95} ms (p95), ` +
        `slowest over fastest ${fairness} in tokens, ${forwardFairness} in forwards`,
    );
  }
  console.log(`isolate at the end: ${round(isolateBytes / (1 << 20), 1)} MiB`);
  // Rounds alternate, so the ratio within a round is free of drift between rounds.
  const alone = loads.get(1)!;
  const ratios = loads.get(16)!.map((run, i) => run.aggregate / alone[i]!.aggregate);
  const last = rows.at(-1);
  const by = <T>(of: (row: (typeof rows)[number]) => T) =>
    Object.fromEntries(rows.map((row) => [row.clients, of(row)]));
  return {
    aggregate: by((row) => row.aggregate),
    ratio_16_1: round(median(ratios)),
    fairness_16: last?.fairness,
    fairness_forwards_16: last?.forwardFairness,
    ttft_p50_ms: by((row) => row.p50),
    ttft_p95_ms: by((row) => row.p95),
    isolate_bytes: isolateBytes,
  };
}
