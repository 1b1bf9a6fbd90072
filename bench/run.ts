/** `npm run bench -- SUITE`: speed and memory. `npm run bench -- all` runs every suite and keeps what they print. */
import { type Command, runSuite, type Suite } from '../scripts/suites.ts';
import { runAll } from './all.ts';
import { BENCH_SETTINGS, type BenchSetting } from './settings.ts';

function suite(about: string, settings: readonly BenchSetting[], load: Suite['load']): Suite {
  return { about, settings, load };
}

const suites = {
  kernels: suite(
    'matrix products, beside onnxruntime on the web and native',
    ['BENCH_ROUNDS', 'BENCH_PEERS'],
    () => import('./kernels/kernels.ts'),
  ),
  decode: suite(
    'tokens per second, beside native llama.cpp and peers in Chromium; start and memory in workerd',
    ['MODEL', 'BENCH_ROUNDS', 'BENCH_PROMPTS', 'BENCH_TOKENS', 'BENCH_PEERS'],
    () => import('./decode/decode.ts'),
  ),
  serve: suite(
    'workerd under 1, 4 and 16 clients',
    ['BENCH_ROUNDS', 'BENCH_REQUESTS', 'BENCH_TOKENS'],
    () => import('./serve.ts'),
  ),
  fairness: suite(
    'two keys in workerd: short requests beside many long ones',
    ['BENCH_REQUESTS'],
    () => import('./fairness.ts'),
  ),
  drafts: suite(
    'speed and tokens a forward with each source of drafts, beside block length 1',
    ['MODEL', 'BENCH_PROMPTS', 'BENCH_TOKENS', 'BENCH_KINDS', 'BENCH_DRAWINGS', 'BENCH_VNNI', 'SEEDLING_EVAL'],
    () => import('./drafts/drafts.ts'),
  ),
  roofline: suite(
    'the cost of a forward by its width, and what explains it',
    ['MODEL', 'BENCH_ROUNDS', 'BENCH_DRAWINGS'],
    () => import('./roofline/roofline.ts'),
  ),
  profile: suite(
    'the time of a forward by kernel',
    ['MODEL', 'BENCH_ROUNDS', 'BENCH_KERNELS'],
    () => import('./profile.ts'),
  ),
  threads: suite('one thread against several', ['MODEL', 'BENCH_ROUNDS', 'BENCH_TOKENS'], () => import('./threads.ts')),
  runtimes: suite(
    'own kernels, ONNX on WASM, ONNX on WebGPU',
    ['MODEL', 'BENCH_RUNTIMES', 'BENCH_BLOCKS', 'BENCH_ROUNDS', 'BENCH_PROMPTS', 'BENCH_TOKENS'],
    () => import('./runtimes.ts'),
  ),
  policies: suite(
    'decoding rules by forwards and by milliseconds a token',
    ['MODEL', 'BENCH_HOLES', 'BENCH_PROMPTS', 'BENCH_TOKENS', 'BENCH_DRAWINGS'],
    () => import('./policies.ts'),
  ),
  'approximate-cache': suite(
    'what an approximate cache changes under full context',
    ['MODEL', 'MODELS_DIR', 'BENCH_PROMPTS', 'BENCH_TOKENS'],
    () => import('./approximate-cache/approximate-cache.ts'),
  ),
  large: suite(
    'random weights of 1.5 billion parameters',
    ['BENCH_LARGE', 'BENCH_REHEARSAL', 'BENCH_TOKENS'],
    () => import('./large/large.ts'),
  ),
  abuse: suite(
    'random cancels, slow readers, spoiled bodies, killed hosts',
    ['BENCH_REQUESTS'],
    () => import('./abuse.ts'),
  ),
};

const bench: Command = {
  name: 'bench',
  suites,
  settings: BENCH_SETTINGS,
  extra: [
    '',
    'npm run bench -- all [SUITE ...] [--out FILE]: every suite in a process of its own, all results in one file.',
  ],
};

const [name, ...rest] = process.argv.slice(2);
if (name === 'all') await runAll(Object.keys(suites), rest);
else await runSuite(bench, name);
