/** ONNX Runtime on WebGPU. Its code and its WASM are fetched only when the reader chooses it. */
import { engineAround } from '../../hosts/assemble.ts';
import { ModelLoadError } from '../../model/errors.ts';
import type { WeightSource } from '../../model/weight-source.ts';
import { KV_TOKENS, type Loaded, QUEUE } from './runtimes.ts';

/** Compressed, since it is larger than the largest file that Workers serve. */
const RUNTIME = '/playground/onnxruntime.wasm.gz';

/** @throws ModelLoadError naming the file that is at fault, and NoAdapterError where the browser has no adapter */
export async function loadWebGpu(source: WeightSource): Promise<Loaded> {
  const [{ loadOnnxModel }, bytes] = await Promise.all([import('../../model/onnx/load.ts'), runtimeBytes()]);
  let description = '';
  const engine = await engineAround(source, QUEUE, async (config) => {
    const options = { provider: 'webgpu', kvTokens: KV_TOKENS, engineFile: { bytes } } as const;
    const model = await loadOnnxModel(source, config, options);
    description = `${config.name} on WebGPU, ${model.adapter}`;
    return model;
  });
  return { engine, description };
}

async function runtimeBytes(): Promise<ArrayBuffer> {
  const response = await fetch(RUNTIME);
  if (!response.ok || response.body === null) {
    throw new ModelLoadError(`${RUNTIME.slice(1)} came with status ${response.status}`);
  }
  return new Response(response.body.pipeThrough(new DecompressionStream('gzip'))).arrayBuffer();
}
