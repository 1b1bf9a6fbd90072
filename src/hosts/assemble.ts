/** Puts an engine together from a model's files and the compiled kernels: the same for every host. */

import { Engine } from '../engine/engine.ts';
import type { QueueLimits } from '../engine/queue.ts';
import { loadTokenizer } from '../engine/tokenizer/tokenizer.ts';
import type { Threads } from '../kernels/crew.ts';
import type { KernelModules } from '../kernels/kernels.ts';
import type { Activations } from '../model/decoder.ts';
import { readModelConfig, type WeightSource } from '../model/weight-source.ts';
import type { LoadProgress } from '../model/weights.ts';
import { chooseModel, type OnnxChoice } from './choose-model.ts';

export interface AssembleOptions {
  readonly source: WeightSource;
  readonly kernels: KernelModules;
  /** Everything this project holds, in bytes: WASM memory and the reserve for JavaScript. */
  readonly memoryBudgetBytes: number;
  readonly activations: Activations;
  /** KV tokens at most, all requests together. */
  readonly kvTokens: number;
  readonly prefixCache: boolean;
  readonly queue: QueueLimits;
  readonly onProgress?: LoadProgress | undefined;
  readonly threads?: Threads | undefined;
  /** Where ONNX Runtime may run the model. Absent: the project's own kernels do. */
  readonly onnx?: OnnxChoice | undefined;
}

/** What the tokenizer, the code and requests in flight take of the budget; `npm run bench -- decode` prints the real sum. */
export const JS_RESERVE_BYTES = 20 << 20;

/** @throws ModelLoadError naming the file that is at fault. */
export async function assembleEngine(options: AssembleOptions): Promise<Engine> {
  const { source, memoryBudgetBytes, queue, onnx } = options;
  const config = await readModelConfig(source);
  // Before the weights: while it is parsed, the JSON needs memory that they will want.
  const tokenizer = loadTokenizer(await source.json('tokenizer.json'), config.maskTokenId);
  const memoryBudget = memoryBudgetBytes - JS_RESERVE_BYTES;
  const model = await chooseModel(source, config, { ...options, memoryBudget }, onnx ?? null);
  return new Engine(model, tokenizer, queue);
}
