/**
 * A model of 1.5 billion parameters at 4 bits in one WASM memory: the cost of converting, loading and running it. Weights
 * are random, in the shape of Fast-dLLM v2 1.5B. The KV pool is so large that some addresses are above 2 GiB.
 *
 * BENCH_LARGE=FOLDER keeps checkpoint and model in that folder and uses them again. Otherwise they are deleted.
 * BENCH_REHEARSAL=1 runs the same on two narrow layers. Its figures say nothing; it shows that everything works.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryUsage, resourceUsage } from 'node:process';
import { progressLine } from '../../src/hosts/node/host/progress.ts';
import { kernelFlavour } from '../../src/kernels/kernels.ts';
import { completeGreedily, openEngine } from '../../test/support/engines/engine.ts';
import { round } from '../median.ts';
import { setting, size } from '../settings.ts';
import { FAST_DLLM_V2_1_5B, writeRandomCheckpoint } from './random-checkpoint.ts';

const REHEARSAL = setting('BENCH_REHEARSAL') === '1';
const SHAPE = REHEARSAL
  ? { ...FAST_DLLM_V2_1_5B, hiddenSize: 256, intermediateSize: 512, numLayers: 2, numHeads: 2 }
  : FAST_DLLM_V2_1_5B;
const NAME = REHEARSAL ? 'random-rehearsal' : 'random-1.5b';
const PROMPT = 'function isPrime(n) {\n';
const MIB = 2 ** 20;

export async function run(): Promise<object> {
  const kept = setting('BENCH_LARGE');
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
  // In a process of its own, so that its peak is that of the conversion.
  const cli = new URL('../../src/convert/cli.ts', import.meta.url).pathname;
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
  // Everything that 32-bit addresses reach, unless set.
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
      maxTokens: size('BENCH_TOKENS', 16),
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
    /** Resident. Pages of the KV pool that no token reached are not. */
    rss_mib: { before: mib(before.rss), loaded: mib(loaded.rss), peak: Math.round(resourceUsage().maxRSS / 1024) },
    /** JavaScript's own memory. The WASM memory is in neither. */
    js_mib: { heap: mib(loaded.heapUsed), buffers: mib(loaded.arrayBuffers) },
    tokens_per_s: speeds,
    flavour: kernelFlavour(),
    dot: engine.model.dot,
  };
}
