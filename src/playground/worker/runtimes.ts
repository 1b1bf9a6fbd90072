/** The runtimes that a page has: each makes an engine from a model's files. */

import type { Engine } from '../../engine/engine.ts';
import { assembleEngine } from '../../hosts/assemble.ts';
import { kernelFlavour } from '../../kernels/kernels.ts';
import type { WeightSource } from '../../model/weight-source.ts';
import { pageThreads } from './page-threads.ts';

export interface Loaded {
  readonly engine: Engine;
  /** Model and runtime, in words for the reader. */
  readonly description: string;
}

/** The page has the machine's memory. The budget only refuses models that are too large for a browser. */
const MEMORY_BUDGET_BYTES = 2 ** 31;
export const KV_TOKENS = 2048;
/** There is one reader, so each job runs at once. */
export const QUEUE = { concurrency: 1, waiting: 1, seconds: 60 };

/** The project's own kernels. @param threads that multiply @throws ModelLoadError */
export async function loadWasm(source: WeightSource, threads: number): Promise<Loaded> {
  const shared = threads > 1 ? '-shared' : '';
  const [relaxed, simd] = await Promise.all([compile(`relaxed${shared}`), compile(`simd${shared}`)]);
  const engine = await assembleEngine({
    source,
    kernels: { relaxed, simd },
    memoryBudgetBytes: MEMORY_BUDGET_BYTES,
    activations: 'int8',
    kvTokens: KV_TOKENS,
    prefixCache: true,
    queue: QUEUE,
    threads: threads > 1 ? pageThreads(threads) : undefined,
  });
  const mib = Math.round(engine.model.memory.total / 2 ** 20);
  return {
    engine,
    description: `${engine.model.config.name} on WebAssembly, ${kernelFlavour()}, ${plural(threads)}, ${mib} MiB`,
  };
}

function plural(threads: number): string {
  return threads === 1 ? '1 thread' : `${threads} threads`;
}

async function compile(build: string): Promise<WebAssembly.Module> {
  return WebAssembly.compileStreaming(fetch(`/playground/kernels-${build}.wasm`));
}
