/** ONNX Runtime on Node, where WebGPU is Dawn from the package `webgpu`. */
import type { OnnxChoice, OnnxLoader } from '../choose-model.ts';
import type { Settings } from '../settings.ts';

/** Null: the project's own kernels. */
export function onnxOnNode({ runtime }: Settings): OnnxChoice | undefined {
  return runtime === 'wasm' ? undefined : { runtime, load };
}

const load: OnnxLoader = async (source, config, options) => {
  if (options.provider === 'webgpu') await provideWebGpu();
  const { loadOnnxModel } = await import('../../model/onnx/load.ts');
  return loadOnnxModel(source, config, options);
};

/** Makes `navigator.gpu` what it is in a browser. Without a graphics driver it has no adapters. */
export async function provideWebGpu(): Promise<void> {
  if ('gpu' in navigator) return;
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  // Dawn is gone once nothing refers to it, and the process with it.
  Object.defineProperty(navigator, 'gpu', { value: create([]), configurable: true });
}
