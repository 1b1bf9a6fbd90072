/**
 * A model of 1.5 billion parameters at 4 bits in one WASM memory: what it takes to convert, to load and to run. Weights are
 * random, in the shape of Fast-dLLM v2 1.5B; the KV pool is so large that the weights lie behind the first 2 GiB.
 *
 * BENCH_LARGE=DIRECTORY keeps checkpoint and model there and uses them again; otherwise they are deleted. BENCH_REHEARSAL=1
 * runs the same on two narrow layers: its figures say nothing, but that all of it works.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryUsage, resourceUsage } from 'node:process';
import { progressLine } from '../src/hosts/node/progress.ts';
import { kernelFlavour } from '../src/kernels/kernels.ts';
import { completeGreedily, openEngine } from '../test/support/engines/engine.ts';
import { round } from './median.ts';
import { FAST_DLLM_V2_1_5B, writeRandomCheckpoint } from './random-checkpoint.ts';

const REHEARSAL = Boolean(process.env.BENCH_REHEARSAL);
const SHAPE = REHEARSAL
  ? { ...FAST_DLLM_V2_1_5B, hiddenSize: 256, intermediateSize: 512, numLayers: 2, numHeads: 2 }
  : FAST_DLLM_V2_1_5B;
const NAME = REHEARSAL ? 'random-rehearsal' : 'random-1.5b';
const TOKENS = 16;
const PROMPT = 'function isPrime(n) {\n';
const MIB = 2 ** 20;

export async function run(): Promise<object> {
  const kept = process.env.BENCH_LARGE;
  const directory = kept || (await mkdtemp(join(tmpdir(), 'seedling-large-')));
  try {
    const conversion = existsSync(join(directory, NAME, 'manifest.json')) ? {} : await convertIn(directory);
    return { ...conversion, ...(await runIn(directory)) };
  } finally {
    if (!kept) await rm(directory, { recursive: true });
  }
}

async function convertIn(directory: string): Promise<object> {
  const checkpoint = join(directory, 'checkpoint');
  const bytes = await writeRandomCheckpoint(checkpoint, SHAPE);
  // A process of its own, whose peak is the conversion's.
  const cli = new URL('../src/convert/cli.ts', import.meta.url).pathname;
  const semantics = ['--logit-shift', '--context-attention', 'block_causal', '--block-length', '32'];
  const start = performance.now();
  const converted = spawnSync(process.execPath, [cli, checkpoint, NAME, '--out', directory, ...semantics], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (converted.status !== 0) throw new Error(`the conversion failed with status ${converted.status}`);
  console.log(converted.stdout);
  return {
    checkpoint_mib: Math.round(bytes / MIB),
    convert_s: round((performance.now() - start) / 1000, 1),
    convert_peak_mib: Number(/peak memory (\d+) MiB/.exec(converted.stdout)?.[1]),
  };
}

async function runIn(directory: string): Promise<object> {
  // Unless told otherwise: all that 32-bit addresses reach.
  process.env.MEMORY_BUDGET_MIB ??= '4096';
  process.env.KV_TOKENS ??= REHEARSAL ? '1024' : '65536';
  const before = memoryUsage();
  const start = performance.now();
  const engine = await openEngine(NAME, directory, {}, progressLine(`Loading ${NAME}`));
  const loadSeconds = (performance.now() - start) / 1000;
  const { memory, maxTokens } = engine.model;
  const loaded = memoryUsage();
  console.log(`loaded in ${round(loadSeconds, 1)} s`);
  const speeds: Record<string, number> = {};
  for (const [mode, blockLength] of [
    ['ar', 1],
    ['block_8', 8],
  ] as const) {
    const { tokens, cost } = await completeGreedily(engine, PROMPT, {
      maxTokens: TOKENS,
      blockLength,
      threshold: null,
    });
    speeds[mode] = round(tokens / (cost.decodeMs / 1000));
    console.log(`${mode}: ${tokens} tokens, ${cost.nfe} forwards, ${speeds[mode]} tokens/s`);
  }
  const mib = (bytes: number) => Math.round(bytes / MIB);
  return {
    rehearsal: REHEARSAL,
    load_s: round(loadSeconds, 1),
    kv_tokens: maxTokens,
    wasm_mib: {
      weights: mib(memory.weights),
      kv: mib(memory.kvPool),
      scratch: mib(memory.scratch),
      total: mib(memory.total),
    },
    /** What is resident: pages of the KV pool that no token reached are not. */
    rss_mib: { before: mib(before.rss), loaded: mib(loaded.rss), peak: Math.round(resourceUsage().maxRSS / 1024) },
    /** JavaScript's own. The WASM memory counts among neither. */
    js_mib: { heap: mib(loaded.heapUsed), buffers: mib(loaded.arrayBuffers) },
    tokens_per_s: speeds,
    flavour: kernelFlavour(),
  };
}
