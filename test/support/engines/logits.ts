/** Logits of a golden case from each engine, and how far two of them are apart. */
import { committedVisible } from '../../../src/model/forward/visibility.ts';
import type { WasmModel } from '../../../src/model/wasm-model.ts';
import type { GoldenCase, scalarModel } from './models.ts';

export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < b.length; i++) {
    const difference = Math.abs((a[i] ?? Number.NaN) - (b[i] ?? 0));
    if (!(difference <= most)) most = difference;
  }
  return most;
}

export function rmsDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < b.length; i++) sum += ((a[i] ?? Number.NaN) - (b[i] ?? 0)) ** 2;
  return Math.sqrt(sum / b.length);
}

/** Logits of every row of the last forward: (rows)(V). */
function allLogits(model: WasmModel, rows: number): Float32Array[] {
  return Array.from({ length: rows }, (_, row) =>
    model.decoder.logits(Int32Array.of(row)).slice(0, model.config.vocabSize),
  );
}

/** Context logits, then the block's: the block is not committed. */
export async function wasmLogits(model: WasmModel, { ids, commit }: GoldenCase): Promise<Float32Array[]> {
  const cache = model.createCache(ids.length);
  const context = Int32Array.from(ids.slice(0, commit));
  const block = Int32Array.from(ids.slice(commit));
  const logits: Float32Array[] = [];
  if (context.length > 0) {
    await model.commit(context, cache, { rows: 'all' });
    logits.push(...allLogits(model, context.length));
  }
  if (block.length > 0) {
    // Asking for the first row's prediction makes every row's hidden state available.
    await model.denoise(block, cache, { positions: Int32Array.of(1) });
    logits.push(...allLogits(model, block.length));
  }
  cache.free();
  return logits;
}

export async function scalarLogits(
  model: Awaited<ReturnType<typeof scalarModel>>,
  { ids, commit }: GoldenCase,
): Promise<Float32Array[]> {
  const cache = model.createCache(ids.length) as Parameters<typeof model.logits>[1];
  const context = Int32Array.from(ids.slice(0, commit));
  const visible = context.map((_, i) => committedVisible(model.config, i, commit));
  const logits = model.logits(context, cache, visible);
  cache.length = commit;
  const block = Int32Array.from(ids.slice(commit));
  logits.push(...model.logits(block, cache, new Int32Array(block.length).fill(ids.length)));
  cache.free();
  return logits;
}
