/** The page of the Chromium test: the series of forwards on WebGPU, with weights over HTTP. */
import { PROPORTIONAL } from '../../../src/model/cost-curve.ts';
import { loadOnnxModel } from '../../../src/model/onnx/load.ts';
import type { OnnxCache } from '../../../src/model/onnx/onnx-cache.ts';
import { readModelConfig } from '../../../src/model/weight-source.ts';
import { assetsSource } from '../../../src/worker-assets.ts';
import { runConformance } from '../conformance-script.ts';

/** Typed arrays as lists, which is what crosses to the test. */
export interface PageResult {
  readonly adapter: string;
  readonly answers: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;
  readonly kv: readonly (readonly number[])[];
  readonly lostTokens: number;
}

declare global {
  var conformance: (provider: 'wasm' | 'webgpu') => Promise<PageResult>;
}

globalThis.conformance = async (provider) => {
  const source = assetsSource({ fetch: (url) => fetch(new URL(url).pathname) }, 'tiny');
  const build = provider === 'webgpu' ? 'ort-wasm-simd-threaded.asyncify.wasm' : 'ort-wasm-simd-threaded.wasm';
  const model = await loadOnnxModel(source, await readModelConfig(source), {
    provider,
    kvTokens: 512,
    engineFile: { url: new URL(`/onnxruntime/${build}`, location.href).href },
    costs: PROPORTIONAL,
  });
  const run = await runConformance(model, async (cache) => {
    const tensors = await (cache as OnnxCache).store.read(cache.length);
    return [...tensors.values()];
  });
  const lists = Object.entries(run.answers).map(([name, answer]) => [
    name,
    Object.fromEntries(Object.entries(answer).map(([field, values]) => [field, Array.from(values as Float32Array)])),
  ]);
  await model.release();
  return {
    adapter: model.adapter,
    answers: Object.fromEntries(lists),
    kv: run.kv.map((tensor) => Array.from(tensor)),
    lostTokens: run.lostTokens,
  };
};
