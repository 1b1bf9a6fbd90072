/**
 * Loads a model on ONNX Runtime. Hosts import this module only if it was chosen, so that other bundles do not carry
 * it.
 */
import type { ModelConfig } from '../config.ts';
import type { CostCurve } from '../cost-curve.ts';
import { ModelLoadError } from '../errors.ts';
import type { WeightSource } from '../weight-source.ts';
import type { EngineFile } from './engine-file.ts';
import { OnnxModel } from './onnx-model.ts';
import { createWasmBackend } from './wasm-backend.ts';
import { createWebGpuBackend } from './webgpu-backend.ts';

export interface OnnxOptions {
  /** `webgpu` needs `navigator.gpu`; `wasm` is ONNX Runtime's own, not this project's kernels. */
  readonly provider: 'webgpu' | 'wasm';
  /** KV tokens at most, all requests together. */
  readonly kvTokens: number;
  /** ONNX Runtime's WASM file, in a page. Node finds its own. */
  readonly engineFile?: EngineFile;
  /** What a forward costs, where it is known. Absent: measured at load, which on a software adapter takes long. */
  readonly costs?: CostCurve;
}

/**
 * @throws NoAdapterError where `webgpu` has nothing to run on
 * @throws ModelLoadError naming the file that is at fault, or what of the model's attention this runtime cannot do
 */
export async function loadOnnxModel(
  source: WeightSource,
  config: ModelConfig,
  { provider, kvTokens, engineFile, costs }: OnnxOptions,
): Promise<OnnxModel> {
  refuseOtherGrids(config);
  const file = engineFile ?? null;
  const backend = await (provider === 'webgpu' ? createWebGpuBackend(file) : createWasmBackend(file));
  return OnnxModel.load(source, config, backend, kvTokens, costs ?? null);
}

/** Its forwards count blocks from position 0 and see a cache that stays. */
function refuseOtherGrids({ contextAttention, grid }: ModelConfig): void {
  if (contextAttention === 'full') throw new ModelLoadError('contextAttention full runs on RUNTIME=wasm only');
  if (contextAttention === 'block_causal' && grid === 'prompt_end') {
    throw new ModelLoadError('grid prompt_end runs on RUNTIME=wasm only');
  }
}
