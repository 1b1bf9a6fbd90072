/** Builds an engine from a model's files and the compiled kernels. Every host uses it. */
import { Engine } from '../engine/engine.ts';
import { markersOf } from '../engine/generation/infill.ts';
import type { QueueLimits } from '../engine/queue.ts';
import { loadTokenizer } from '../engine/tokenizer/tokenizer.ts';
import type { Threads } from '../kernels/crew.ts';
import type { KernelModules } from '../kernels/kernels.ts';
import type { ModelConfig } from '../model/config.ts';
import type { Activations } from '../model/linear.ts';
import type { DiffusionModel } from '../model/model.ts';
import { readModelConfig, type WeightSource } from '../model/weight-source.ts';
import type { ProgressListener } from '../model/weights.ts';
import { chooseModel, type OnnxChoice } from './choose-model.ts';

export interface AssembleOptions {
  readonly source: WeightSource;
  readonly kernels: KernelModules;
  /** All memory of the engine, in bytes: WASM memory, and the reserve for JavaScript. */
  readonly memoryBudgetBytes: number;
  readonly activations: Activations;
  /** Most KV tokens, all requests together. */
  readonly kvTokens: number;
  readonly prefixCache: boolean;
  readonly queue: QueueLimits;
  readonly onProgress?: ProgressListener | undefined;
  readonly threads?: Threads | undefined;
  /** Lets ONNX Runtime run the model. Absent: the project's own kernels run it. */
  readonly onnx?: OnnxChoice | undefined;
}

/** The budget's share for the tokenizer, the code and requests in flight. `npm run bench -- decode` prints the real sum. */
export const JS_RESERVE_BYTES = 20 << 20;

/** @throws ModelLoadError naming the file that is at fault */
export function assembleEngine(options: AssembleOptions): Promise<Engine> {
  const { source, memoryBudgetBytes, queue, onnx } = options;
  const memoryBudget = memoryBudgetBytes - JS_RESERVE_BYTES;
  return engineAround(source, queue, (config) =>
    chooseModel(source, config, { ...options, memoryBudget }, onnx ?? null),
  );
}

/**
 * The same around a runtime that the host has chosen itself.
 * @param loadModel loads the weights
 * @throws ModelLoadError naming the file that is at fault
 */
export async function engineAround(
  source: WeightSource,
  queue: QueueLimits,
  loadModel: (config: ModelConfig) => Promise<DiffusionModel>,
): Promise<Engine> {
  const config = await readModelConfig(source);
  // The tokenizer comes before the weights: while its JSON is parsed, it needs memory that the weights take later.
  const tokenizer = loadTokenizer(await source.json('tokenizer.json'), config.maskTokenId, markersOf(config));
  return new Engine(await loadModel(config), tokenizer, queue);
}
