/** Chooses the runtime of an engine: this project's kernels or ONNX Runtime. */
import type { ModelConfig } from '../model/config.ts';
import { NoAdapterError } from '../model/errors.ts';
import type { DiffusionModel } from '../model/model.ts';
import { WasmModel, type WasmModelOptions } from '../model/wasm-model.ts';
import type { WeightSource } from '../model/weight-source.ts';

/** Loads `src/model/onnx/load.ts`. A host imports it only when it is called, because ONNX Runtime is large. */
export type OnnxLoader = (
  source: WeightSource,
  config: ModelConfig,
  options: { readonly provider: 'webgpu' | 'wasm'; readonly kvTokens: number },
) => Promise<DiffusionModel>;

export interface OnnxChoice {
  /** `auto`: WebGPU if there is an adapter, else the project's own kernels. */
  readonly runtime: 'webgpu' | 'onnx' | 'auto';
  readonly load: OnnxLoader;
}

/**
 * @param onnx null: the project's own kernels
 * @throws ModelLoadError naming the file that is at fault
 * @throws NoAdapterError if `webgpu` was chosen and there is no adapter
 */
export async function chooseModel(
  source: WeightSource,
  config: ModelConfig,
  options: WasmModelOptions,
  onnx: OnnxChoice | null,
): Promise<DiffusionModel> {
  if (onnx === null) return WasmModel.load(source, config, options);
  const { runtime, load } = onnx;
  const { kvTokens } = options;
  if (runtime === 'onnx') return load(source, config, { provider: 'wasm', kvTokens });
  try {
    return await load(source, config, { provider: 'webgpu', kvTokens });
  } catch (error) {
    if (runtime === 'auto' && error instanceof NoAdapterError) return WasmModel.load(source, config, options);
    throw error;
  }
}
