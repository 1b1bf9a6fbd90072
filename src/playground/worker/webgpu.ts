/** ONNX Runtime on WebGPU. It and its engine are fetched only when it is chosen. */
import { Engine } from '../../engine/engine.ts';
import { loadTokenizer } from '../../engine/tokenizer/tokenizer.ts';
import { ModelLoadError } from '../../model/errors.ts';
import { readModelConfig, type WeightSource } from '../../model/weight-source.ts';
import { KV_TOKENS, type Loaded, QUEUE } from './runtimes.ts';

/** Compressed, as it is larger than what Workers serve as one file. */
const ENGINE = '/playground/onnxruntime.wasm.gz';

/** @throws ModelLoadError naming the file that is at fault, and NoAdapterError where there is nothing to run on */
export async function loadWebGpu(source: WeightSource): Promise<Loaded> {
  const [{ loadOnnxModel }, bytes] = await Promise.all([import('../../model/onnx/load.ts'), engineBytes()]);
  const config = await readModelConfig(source);
  const tokenizer = loadTokenizer(await source.json('tokenizer.json'), config.maskTokenId);
  const model = await loadOnnxModel(source, config, {
    provider: 'webgpu',
    kvTokens: KV_TOKENS,
    engineFile: { bytes },
  });
  return {
    engine: new Engine(model, tokenizer, QUEUE),
    description: `${config.name} on WebGPU, ${model.adapter}`,
  };
}

async function engineBytes(): Promise<ArrayBuffer> {
  const response = await fetch(ENGINE);
  if (!response.ok || response.body === null) {
    throw new ModelLoadError(`${ENGINE.slice(1)} came with status ${response.status}`);
  }
  return new Response(response.body.pipeThrough(new DecompressionStream('gzip'))).arrayBuffer();
}
