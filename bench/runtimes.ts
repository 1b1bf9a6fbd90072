/**
 * The default model on each runtime of this machine: milliseconds of a forward by its positions, and tokens per second at
 * several block lengths. On a software adapter a forward takes seconds: sizes are cut, and the figures say nothing about
 * GPUs.
 */

import { cpus } from 'node:os';
import { join } from 'node:path';
import { Engine } from '../src/engine/engine.ts';
import { markersOf } from '../src/engine/generation/infill.ts';
import { loadTokenizer } from '../src/engine/tokenizer/tokenizer.ts';
import type { DiffusionModel } from '../src/model/model.ts';
import { readModelConfig } from '../src/model/weight-source.ts';
import { directorySource } from '../src/sources/directory.ts';
import { wasmModel } from '../test/support/engines/models.ts';
import { onnxModel } from '../test/support/engines/runtimes.ts';
import { chooseFastest, isSoftware } from '../test/support/engines/software-adapters.ts';
import { completeTimed } from './complete-timed.ts';
import { ForwardClock } from './forward-cost.ts';
import { median, round } from './median.ts';
import { PROMPTS, promptsUpTo, salted } from './prompts.ts';
import { choice, modelName, setting, size } from './settings.ts';
import { tokensPerSecond } from './timed-completion.ts';

const MODEL = modelName();
const KV_TOKENS = 512;
const QUEUE = { concurrency: 1, waiting: 1, seconds: 600 };

const source = directorySource(join('models', MODEL));

const LOADERS: Readonly<Record<string, () => Promise<DiffusionModel & { readonly adapter?: string }>>> = {
  wasm: () => wasmModel(source, 'relaxed-simd', KV_TOKENS),
  'onnx-wasm': () => onnxModel(source, 'wasm', KV_TOKENS),
  webgpu: () => onnxModel(source, 'webgpu', KV_TOKENS),
};

/** How much is measured. */
interface Sizes {
  readonly blocks: readonly number[];
  readonly prompts: number;
  readonly tokens: number;
  readonly rounds: number;
}

const FULL: Sizes = { blocks: [1, 4, 8, 16, 32], prompts: PROMPTS.length, tokens: 32, rounds: 3 };
const CUT: Sizes = { blocks: [1, 4], prompts: 1, tokens: 4, rounds: 1 };

function sizesFor(adapter: string): Sizes {
  const standard = isSoftware(adapter) ? CUT : FULL;
  const sizes = {
    blocks: setting('BENCH_BLOCKS')?.split(',').map(Number) ?? standard.blocks,
    prompts: size('BENCH_PROMPTS', standard.prompts),
    tokens: size('BENCH_TOKENS', standard.tokens),
    rounds: size('BENCH_ROUNDS', standard.rounds),
  };
  if (standard === CUT) console.log('  a software adapter: sizes that are not set are cut');
  console.log(
    `  blocks of ${sizes.blocks}, ${sizes.prompts} prompts of ${sizes.tokens} tokens, ${sizes.rounds} rounds`,
  );
  return sizes;
}

interface Figures extends Sizes {
  readonly adapter: string;
  /** Median of the rounds, by positions, with the head for every position. */
  readonly forward_ms: Readonly<Record<string, number>>;
  /** By block length. */
  readonly tokens_per_s: Readonly<Record<string, number>>;
}

export async function run(): Promise<object> {
  chooseFastest();
  const config = await readModelConfig(source);
  const tokenizer = loadTokenizer(await source.json('tokenizer.json'), config.maskTokenId, markersOf(config));
  const figures: Record<string, Figures> = {};
  for (const name of choice('BENCH_RUNTIMES', Object.keys(LOADERS))) {
    const model = await LOADERS[name]!();
    const adapter = model.adapter ?? `own kernels on ${cpus()[0]?.model ?? 'an unknown processor'}, one thread`;
    console.log(`${name}: ${adapter}`);
    const sizes = sizesFor(adapter);
    const forward_ms = await timeForwards(model, sizes);
    const tokens_per_s = await timeCompletions(new Engine(model, tokenizer, QUEUE), sizes);
    figures[name] = { adapter, ...sizes, forward_ms, tokens_per_s };
  }
  return { model: MODEL, runtimes: figures };
}

async function timeForwards(model: DiffusionModel, sizes: Sizes): Promise<Record<string, number>> {
  const clock = await ForwardClock.create(model, Math.max(...sizes.blocks));
  const times: Record<string, number> = {};
  for (const positions of sizes.blocks) {
    // The first one is not counted: on WebGPU it compiles shaders.
    await clock.time(positions, 'all');
    const all: number[] = [];
    for (let i = 0; i < sizes.rounds; i++) all.push(await clock.time(positions, 'all'));
    times[positions] = round(median(all));
    console.log(`  forward of ${positions}: ${times[positions]} ms`);
  }
  clock.close();
  return times;
}

async function timeCompletions(engine: Engine, sizes: Sizes): Promise<Record<string, number>> {
  const speeds: Record<string, number> = {};
  for (const block_length of sizes.blocks) {
    const all: number[] = [];
    for (let i = 0; i < sizes.rounds; i++) {
      for (const prompt of promptsUpTo(sizes.prompts)) {
        const { timed } = await completeTimed(engine, salted(prompt), sizes.tokens, { block_length });
        all.push(tokensPerSecond(timed));
      }
    }
    speeds[block_length] = round(median(all));
    console.log(`  blocks of ${block_length}: ${speeds[block_length]} tokens/s`);
  }
  return speeds;
}
