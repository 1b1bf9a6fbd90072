/** The sizes of the benches, from the environment. `npm run bench -- --help` prints the table. */
import { InputError } from '../scripts/suites.ts';

/** Environment variable -> meaning. Each suite has its own default. */
export const BENCH_SETTINGS = {
  MODEL: 'a folder of models/ (seedling-135m)',
  MODELS_DIR: 'the folder of models, for approximate-cache (models)',
  BENCH_ROUNDS: 'how often each measurement is repeated',
  BENCH_PROMPTS: 'how many prompts',
  BENCH_TOKENS: 'new tokens of a completion',
  BENCH_REQUESTS: 'requests of serve (16, a multiple of the clients) and of abuse (10,000; the other counts follow)',
  BENCH_HOLES: 'held-out lines to fill; 0 needs no held-out tokens (24)',
  BENCH_BLOCKS: 'block lengths of runtimes, between commas (1,4,8,16,32)',
  BENCH_RUNTIMES: 'some of wasm, onnx-wasm, webgpu, between commas (all)',
  BENCH_PEERS:
    'some of llama-cpp, wllama, transformers-js (decode) or onnxruntime-node (kernels), between commas, or none (all)',
  BENCH_KERNELS: 'the build that profile runs: relaxed-simd or simd (what the host has)',
  BENCH_LARGE: 'a folder in which large keeps its checkpoint and model, to use them again (none is kept)',
  BENCH_REHEARSAL: '1: large runs on two narrow layers, whose figures say nothing',
  BENCH_DRAWINGS: 'the folder of the drawings of roofline, policies and drafts (docs)',
  BENCH_KINDS: 'some of plain, repetition, edits, between commas: what drafts decodes (all)',
  BENCH_VNNI: '0: drafts runs as on a processor without VNNI',
  SEEDLING_EVAL: 'the folder of evaluation sets, for the prompts of drafts (own prompts)',
  SEEDLING_CACHE: 'the folder of held-out tokens and of the peers (~/.cache/seedling)',
} as const;
export type BenchSetting = keyof typeof BENCH_SETTINGS;

/** An empty variable counts as not set. */
export function setting(name: BenchSetting): string | undefined {
  return process.env[name] || undefined;
}

/** @throws InputError naming the variable, unless it is a whole number from `least` on */
export function size(name: BenchSetting, standard: number, least = 1): number {
  const given = setting(name);
  if (given === undefined) return standard;
  const count = Number(given);
  if (!Number.isInteger(count) || count < least)
    throw new InputError(`${name} must be a whole number from ${least}, not ${given}`);
  return count;
}

/** @throws InputError naming the variable, where it has a word that is not among `choices` */
export function choice<T extends string>(name: BenchSetting, choices: readonly T[]): readonly T[] {
  const given = setting(name);
  if (given === undefined) return choices;
  if (given === 'none') return [];
  const words = given.split(',');
  const wrong = words.find((word) => !choices.some((one) => one === word));
  if (wrong !== undefined) throw new InputError(`${name} must name some of ${choices.join(', ')}, not ${wrong}`);
  return choices.filter((one) => words.includes(one));
}

export const DEFAULT_MODEL = 'seedling-135m';

export function modelName(): string {
  return setting('MODEL') ?? DEFAULT_MODEL;
}
