/**
 * The default model on 1, 2, ... threads, up to one a processor and to 8. Measured in turns: a prefill of 256 tokens, 16
 * tokens decoded one at a time, and a forward after 256 tokens by its width. Also whether all predict the same bits.
 * `shared` is one thread on the build for a shared memory: its difference from `1` is the cost of sharing.
 * `npm run bench -- profile` shows the kernels that are not split.
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { nodeThreads } from '../src/hosts/node/host/threads.ts';
import { readSettings } from '../src/hosts/settings.ts';
import type { KvCache, Predictions } from '../src/model/model.ts';
import { WasmModel } from '../src/model/wasm-model.ts';
import { readModelConfig } from '../src/model/weight-source.ts';
import { directorySource } from '../src/sources/directory.ts';
import { kernelModules, sharedKernelModules } from '../test/support/engines/kernels.ts';
import { median, round } from './median.ts';
import { size } from './settings.ts';

const WIDTHS = [1, 2, 4, 8, 32, 64] as const;
const CONTEXT = 256;
const MOST_THREADS = 8;
const STAGES = ['prefill', 'decode'] as const;

interface Runner {
  readonly name: string;
  readonly model: WasmModel;
  readonly cache: KvCache;
  /** Milliseconds by width of a forward, or by stage of a completion. */
  readonly times: Map<number | (typeof STAGES)[number], number[]>;
}

async function open(name: string, threads: number): Promise<Runner> {
  const { model: directory, activations } = readSettings(process.env);
  const source = directorySource(join('models', directory));
  const config = await readModelConfig(source);
  const model = await WasmModel.load(source, config, {
    kernels: name === '1' ? kernelModules : sharedKernelModules,
    threads: threads > 1 ? nodeThreads(threads) : name === 'shared' ? { count: 1, start: refuse } : undefined,
    activations,
    memoryBudget: 4 * 2 ** 30 - 65536,
    kvTokens: 2 * (CONTEXT + 64),
    prefixCache: false,
  });
  const cache = model.createCache(CONTEXT + 64);
  await model.commit(text(CONTEXT, 0), cache, { rows: 'last' });
  return { name, model, cache, times: new Map([...WIDTHS, ...STAGES].map((what) => [what, []])) };
}

function refuse(): never {
  throw new Error('one thread needs no other');
}

function text(length: number, start: number): Int32Array {
  return Int32Array.from({ length }, (_, i) => 300 + (((start + i) * 37) % 20000));
}

async function forward({ model, cache, times }: Runner, width: number): Promise<Predictions> {
  const start = performance.now();
  const predictions = await model.denoise(text(width, CONTEXT), cache, { positions: Int32Array.of(width) });
  times.get(width)?.push(performance.now() - start);
  return predictions;
}

/** The greedy text after the context, one token at a time. */
async function complete({ model, times }: Runner, tokens: number): Promise<number[]> {
  const cache = model.createCache(CONTEXT + tokens);
  const ids: number[] = [];
  let start = performance.now();
  const stop = (stage: (typeof STAGES)[number], tokens: number) => {
    times.get(stage)?.push((performance.now() - start) / tokens);
    start = performance.now();
  };
  const last = async (input: Int32Array) => ids.push((await model.commit(input, cache, { rows: 'last' })).ids[0]!);
  await last(text(CONTEXT, 0));
  stop('prefill', CONTEXT);
  for (let i = 0; i < tokens; i++) await last(Int32Array.of(ids.at(-1)!));
  stop('decode', tokens);
  cache.free();
  return ids;
}

export async function run(): Promise<object> {
  const repeats = size('BENCH_ROUNDS', 20);
  const tokens = size('BENCH_TOKENS', 16);
  const most = Math.min(MOST_THREADS, availableParallelism());
  const counts = Array.from({ length: most - 1 }, (_, i) => i + 2);
  const runners = [await open('1', 1), await open('shared', 1)];
  for (const count of counts) runners.push(await open(String(count), count));
  let identical = true;
  try {
    for (const runner of runners) for (const width of WIDTHS) await forward(runner, width);
    for (const { times } of runners) for (const list of times.values()) list.length = 0;
    for (let i = 0; i < repeats; i++) {
      for (const width of WIDTHS) {
        const answers: string[] = [];
        for (const runner of runners) {
          const { ids, probs, entropies } = await forward(runner, width);
          answers.push([...ids, ...probs, ...entropies].join());
        }
        identical &&= new Set(answers).size === 1;
      }
      const texts: string[] = [];
      for (const runner of runners) texts.push((await complete(runner, tokens)).join());
      identical &&= new Set(texts).size === 1;
    }
  } finally {
    for (const { model } of runners) await model.close();
  }
  const figures = (statistic: (times: number[]) => number) => {
    const ms = (runner: Runner) => [...runner.times].map(([what, times]) => [what, statistic(times)] as const);
    const alone = new Map(ms(runners[0] as Runner));
    const table = (value: (what: number | string, time: number) => number) =>
      Object.fromEntries(
        runners.map((runner) => [
          runner.name,
          Object.fromEntries(ms(runner).map(([what, time]) => [what, round(value(what, time))])),
        ]),
      );
    const one = (what: number | string) => alone.get(what as number)!;
    return { ms: table((_, time) => time), speedup: table((what, time) => one(what) / time) };
  };
  return {
    identical,
    ...figures(median),
    /** On a shared machine only the fastest round is steady. */
    fastest: figures((times) => Math.min(...times)),
  };
}
