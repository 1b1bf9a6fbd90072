/**
 * The default model on each runtime of this machine: milliseconds of a forward by its positions, and tokens per second at
 * several block lengths. On a software adapter, where a forward takes seconds, the figures say nothing about GPUs: there
 * `RUNTIMES` (names), `BLOCKS` (lengths), `PROMPTS` and `TOKENS` (how many) keep it short.
 */
import { cpus } from 'node:os';
import { join } from 'node:path';
import { directorySource } from '../../src/directory-source.ts';
import { Engine } from '../../src/engine/engine.ts';
import { loadTokenizer } from '../../src/engine/tokenizer.ts';
import type { DiffusionModel } from '../../src/model/model.ts';
import { readModelConfig } from '../../src/model/weight-source.ts';
import { wasmModel } from '../support/models.ts';
import { onnxModel } from '../support/runtimes.ts';
import { completeTimed } from './complete-timed.ts';
import { ForwardClock } from './forward-cost.ts';
import { median, round } from './median.ts';
import { PROMPTS, salted } from './prompts.ts';
import { rounds } from './rounds.ts';
import { tokensPerSecond } from './timed-completion.ts';

const MODEL = process.env.MODEL ?? 'seedling-135m';
const TOKENS = Number(process.env.TOKENS || 32);
const COUNT = Number(process.env.PROMPTS || PROMPTS.length);
const BLOCKS = (process.env.BLOCKS || '1,4,8,16,32').split(',').map(Number);
const KV_TOKENS = 512;
const QUEUE = { concurrency: 1, waiting: 1, seconds: 600 };

const source = directorySource(join('models', MODEL));

const LOADERS: Readonly<Record<string, () => Promise<DiffusionModel & { readonly adapter?: string }>>> = {
  wasm: () => wasmModel(source, 'relaxed-simd', KV_TOKENS),
  'onnx-wasm': () => onnxModel(source, 'wasm', KV_TOKENS),
  webgpu: () => onnxModel(source, 'webgpu', KV_TOKENS),
};

interface Figures {
  readonly adapter: string;
  /** Median of the rounds, by positions, with the head for every position. */
  readonly forward_ms: Readonly<Record<string, number>>;
  /** By block length. */
  readonly tokens_per_s: Readonly<Record<string, number>>;
}

export async function run(): Promise<object> {
  const repeats = rounds(3);
  const config = await readModelConfig(source);
  const tokenizer = loadTokenizer(await source.json('tokenizer.json'), config.maskTokenId);
  const figures: Record<string, Figures> = {};
  for (const name of (process.env.RUNTIMES || Object.keys(LOADERS).join(',')).split(',')) {
    const load = LOADERS[name];
    if (!load) throw new Error(`RUNTIMES must name some of ${Object.keys(LOADERS).join(', ')}, not ${name}`);
    const model = await load();
    const adapter = model.adapter ?? `own kernels on ${cpus()[0]?.model ?? 'an unknown processor'}, one thread`;
    console.log(`${name}: ${adapter}`);
    const forward_ms = await timeForwards(model, repeats);
    const tokens_per_s = await timeCompletions(new Engine(model, tokenizer, QUEUE), repeats);
    figures[name] = { adapter, forward_ms, tokens_per_s };
  }
  return { model: MODEL, prompts: COUNT, tokens: TOKENS, rounds: repeats, ...figures };
}

async function timeForwards(model: DiffusionModel, repeats: number): Promise<Record<string, number>> {
  const clock = await ForwardClock.create(model, Math.max(...BLOCKS));
  const times: Record<string, number> = {};
  for (const positions of BLOCKS) {
    // Not counted: on WebGPU it compiles shaders.
    await clock.time(positions, 'all');
    const all: number[] = [];
    for (let i = 0; i < repeats; i++) all.push(await clock.time(positions, 'all'));
    times[positions] = round(median(all));
    console.log(`  forward of ${positions}: ${times[positions]} ms`);
  }
  clock.close();
  return times;
}

async function timeCompletions(engine: Engine, repeats: number): Promise<Record<string, number>> {
  const speeds: Record<string, number> = {};
  for (const block_length of BLOCKS) {
    const all: number[] = [];
    for (let i = 0; i < repeats; i++) {
      for (const prompt of PROMPTS.slice(0, COUNT)) {
        const { timed } = await completeTimed(engine, salted(prompt), TOKENS, { block_length });
        all.push(tokensPerSecond(timed));
      }
    }
    speeds[block_length] = round(median(all));
    console.log(`  blocks of ${block_length}: ${speeds[block_length]} tokens/s`);
  }
  return speeds;
}
