/**
 * The time of a forward by kernel: the default model's decoder with a clock around every kernel.
 * M = 1 is a decoding step. M = 8 is a block, every row predicted. M = 64 is a tile of the prefill, the last row predicted.
 *
 * A forward is always the same sequence of calls, so each call counts with its fastest round. That removes the noise of a
 * shared machine. The share of a forward that the kernels account for is the median over whole rounds.
 */

import { Arena } from '../src/kernels/arena.ts';
import { dotProduct } from '../src/kernels/dot-product.ts';
import { instantiateKernels, type KernelFlavour, type Kernels, kernelFlavour } from '../src/kernels/kernels.ts';
import { Decoder } from '../src/model/decoder.ts';
import { emptyPredictions } from '../src/model/forward/predictions.ts';
import { readModelConfig } from '../src/model/weight-source.ts';
import { loadWeights, panelBytes, readManifest, weightBytes } from '../src/model/weights.ts';
import { createWorkspace, pageBytes, workspaceBytes } from '../src/model/workspace.ts';
import { directorySource } from '../src/sources/directory.ts';
import { kernelModules } from '../test/support/engines/kernels.ts';
import { median, round } from './median.ts';
import { modelName, setting, size } from './settings.ts';

const MODEL = modelName();
/** Positions before the forward, so that attention has a context. */
const CONTEXT = 128;
const TOKENS = 256;
const WIDTHS = [
  { rows: 1, predicted: 1 },
  { rows: 8, predicted: 8 },
  { rows: 64, predicted: 1 },
] as const;

interface Call {
  readonly label: string;
  readonly ms: number;
}
type Clock = Call[];

/** The same kernels. Each call adds its milliseconds to `clock`; a GEMM is labelled with its shape. */
function timed(kernels: Kernels, clock: Clock): Kernels {
  const entries = Object.entries(kernels).filter(([, kernel]) => typeof kernel === 'function');
  return Object.fromEntries(
    entries.map(([name, kernel]) => [
      name,
      (...args: number[]) => {
        const start = performance.now();
        (kernel as (...args: number[]) => void)(...args);
        const elapsed = performance.now() - start;
        clock.push({ label: name.startsWith('gemm_q8') ? `${name} ${args[8]} -> ${args[7]}` : name, ms: elapsed });
      },
    ]),
  ) as unknown as Kernels;
}

async function openDecoder(clock: Clock, flavour: KernelFlavour) {
  const source = directorySource(`models/${MODEL}`);
  const [config, manifest] = [await readModelConfig(source), await readManifest(source)];
  const pageTokens = config.blockLength;
  const page = pageBytes(config, pageTokens, 'int8');
  const pages = TOKENS / pageTokens;
  const scratch = workspaceBytes(config, TOKENS, pageTokens) + panelBytes(manifest) + (1 << 16);
  const arena = new Arena(weightBytes(manifest) + scratch + pages * (page + 64));
  const kernels = instantiateKernels(kernelModules, arena.memory, flavour);
  const tensors = await loadWeights(source, manifest, arena, kernels, arena.take(panelBytes(manifest)));
  const workspace = createWorkspace(arena, config, TOKENS, pageTokens);
  const decoder = new Decoder(config, timed(kernels, clock), arena, workspace, tensors, 'int8');
  const dot = dotProduct(kernels);
  return { dot, config, decoder, pageTokens, pages: Uint32Array.from({ length: pages }, () => arena.take(page)) };
}

export async function run(): Promise<object> {
  const clock: Clock = [];
  const flavour = (setting('BENCH_KERNELS') as KernelFlavour | undefined) ?? kernelFlavour();
  const { dot, config, decoder, pageTokens, pages } = await openDecoder(clock, flavour);
  const forward = (rows: number, start: number, predicted: number) => {
    const ids = Int32Array.from({ length: rows }, (_, i) => 1000 + (((start + i) * 37) % 20000));
    const visible = Int32Array.from({ length: rows }, (_, i) => start + i + 1);
    const wanted = Int32Array.from({ length: predicted }, (_, i) => rows - predicted + i);
    const predictions = emptyPredictions(predicted, {}, config);
    const begin = performance.now();
    decoder.forward([{ ids, start, visible, pages }], pageTokens, rows - predicted);
    decoder.predict([{ rows: wanted, ask: {}, predictions }]);
    return performance.now() - begin;
  };
  for (let at = 0; at < CONTEXT; at += 64) forward(64, at, 1);

  const rounds = WIDTHS.map(() => [] as { total: number; calls: Clock }[]);
  for (let i = 0; i < size('BENCH_ROUNDS', 15); i++) {
    for (const [w, { rows, predicted }] of WIDTHS.entries()) {
      clock.length = 0;
      const total = forward(rows, CONTEXT, predicted);
      rounds[w]!.push({ total, calls: [...clock] });
    }
  }
  const result: Record<string, object> = {};
  for (const [w, { rows }] of WIDTHS.entries()) {
    const runs = rounds[w]!;
    const accounted = median(runs.map(({ total, calls }) => sum(calls) / total));
    const fastest = byKernel(runs.map((r) => r.calls));
    const total = sum(fastest);
    console.log(
      `\nM = ${rows}, ${flavour}, ${dot}: ${round(total)} ms in kernels, ${round(100 * accounted, 1)}% of a forward`,
    );
    for (const { label, ms } of fastest) {
      console.log(
        `${label.padEnd(28)} ${ms.toFixed(3).padStart(9)} ms ${((100 * ms) / total).toFixed(1).padStart(5)}%`,
      );
    }
    const kernels = Object.fromEntries(fastest.map(({ label, ms }) => [label, round(ms, 3)]));
    result[rows] = { ms: round(total, 3), accounted: round(accounted, 3), kernels };
  }
  return { flavour, dot, context: CONTEXT, forward: result };
}

const sum = (calls: readonly Call[]) => calls.reduce((total, { ms }) => total + ms, 0);

/** Each call's fastest round, added up by label, the most expensive first. */
function byKernel(rounds: readonly Clock[]): Call[] {
  const totals = new Map<string, number>();
  for (const [i, { label }] of rounds[0]!.entries()) {
    const fastest = Math.min(...rounds.map((calls) => calls[i]!.ms));
    const sum = totals.get(label);
    totals.set(label, sum === undefined ? fastest : sum + fastest);
  }
  return Array.from(totals, ([label, ms]) => ({ label, ms })).sort((a, b) => b.ms - a.ms);
}
