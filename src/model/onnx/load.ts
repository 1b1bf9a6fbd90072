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
  /** Known costs of forwards. Absent: measured at load, which takes long on a software adapter. */
  readonly costs?: CostCurve;
}

/**
 * @throws NoAdapterError where `webgpu` has nothing to run on
 * @throws ModelLoadError naming the file at fault, or the attention that this runtime does not have
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

/** Refuses attention that `OnnxModel` does not have: blocks from a prompt's end, and caches whose KV changes. */
function refuseOtherGrids({ contextAttention, grid }: ModelConfig): void {
  if (contextAttention === 'full') throw new ModelLoadError('contextAttention full runs on RUNTIME=wasm only');
  if (contextAttention === 'block_causal' && grid === 'prompt_end') {
    throw new ModelLoadError('grid prompt_end runs on RUNTIME=wasm only');
  }
}
