/** Every runtime that stands behind `DiffusionModel`, as the conformance suite loads it. */

import { provideWebGpu } from '../../../src/hosts/node/host/onnx.ts';
import type { ModelConfig } from '../../../src/model/config.ts';
import { PROPORTIONAL } from '../../../src/model/cost-curve.ts';
import { PagedKvCache } from '../../../src/model/kv/paged-cache.ts';
import type { DiffusionModel, KvCache } from '../../../src/model/model.ts';
import { loadOnnxModel } from '../../../src/model/onnx/load.ts';
import { OnnxCache } from '../../../src/model/onnx/onnx-cache.ts';
import { WasmModel } from '../../../src/model/wasm-model.ts';
import { readModelConfig, type WeightSource } from '../../../src/model/weight-source.ts';
import { pageBytes, pageSlots } from '../../../src/model/workspace.ts';
import { scalarModel, wasmModel } from './models.ts';
import { chooseSwiftShader } from './software-adapters.ts';

export type Provider = 'wasm' | 'webgpu';

/**
 * On WebGPU: the machine's adapter, or Chromium's software adapter where VK_ICD_FILENAMES names none.
 * @param layers the first so many of the model's; absent: all
 */
export async function onnxModel(source: WeightSource, provider: Provider, kvTokens: number, layers?: number) {
  if (provider === 'webgpu') {
    chooseSwiftShader();
    await provideWebGpu();
  }
  const config = await readModelConfig(source);
  const short = { ...config, numLayers: layers ?? config.numLayers };
  // A cost curve of a software adapter takes minutes and is of no use here.
  return loadOnnxModel(source, short, { provider, kvTokens, costs: PROPORTIONAL });
}

export interface Runtime {
  readonly name: string;
  readonly load: (source: WeightSource) => Promise<DiffusionModel>;
  /** Largest difference of a probability, an entropy or an element of K and V from the oracle's. */
  readonly tolerance: number;
}

const KV_TOKENS = 512;

export const RUNTIMES: readonly Runtime[] = [
  { name: 'scalar', load: (source) => scalarModel(source), tolerance: 0 },
  // 15-bit activations and KV against the oracle's floats.
  { name: 'wasm', load: (source) => wasmModel(source, 'relaxed-simd', KV_TOKENS, 'int16'), tolerance: 2e-3 },
  { name: 'onnx on wasm', load: (source) => onnxModel(source, 'wasm', KV_TOKENS), tolerance: 2e-5 },
  { name: 'onnx on webgpu', load: (source) => onnxModel(source, 'webgpu', KV_TOKENS), tolerance: 2e-5 },
];

/** K and V of a cache's committed tokens, (length, kvHeads * d) each, of every layer by turns. */
export async function readKv(model: DiffusionModel, cache: KvCache): Promise<readonly Float32Array[]> {
  if (cache instanceof OnnxCache) return [...(await cache.store.read(cache.length)).values()];
  if (cache instanceof PagedKvCache && model instanceof WasmModel) return readPages(model, cache);
  const { numLayers, numKvHeads, headDim } = model.config;
  const { keys, values } = cache as KvCache & { keys: Float32Array[]; values: Float32Array[] };
  const filled = (array: Float32Array | undefined) => array!.slice(0, cache.length * numKvHeads * headDim);
  return Array.from({ length: numLayers }, (_, l) => [filled(keys[l]), filled(values[l])]).flat();
}

/** The layouts are those of `wasm/kv.ts` and `wasm/kv-words.ts`. */
function readPages(model: WasmModel, cache: PagedKvCache): Float32Array[] {
  const { numLayers, numKvHeads, headDim }: ModelConfig = model.config;
  const { blockLength: pageTokens } = model.config;
  const { arena, kv } = model.decoder;
  const { buffer } = arena.memory;
  const read = kv === 'int8' ? readBytes : readWords;
  const layer = pageBytes(model.config, pageTokens, kv) / numLayers;
  const tensors = Array.from({ length: 2 * numLayers }, () => new Float32Array(cache.length * numKvHeads * headDim));
  for (let l = 0; l < numLayers; l++) {
    for (let t = 0; t < cache.length; t++) {
      const page = cache.pages[Math.floor(t / pageTokens)]! + l * layer;
      for (let h = 0; h < numKvHeads; h++) {
        for (const kind of [0, 1] as const) {
          const vector = read(buffer, page, model.config, pageTokens, h, t % pageTokens, kind);
          tensors[2 * l + kind]!.set(vector, (t * numKvHeads + h) * headDim);
        }
      }
    }
  }
  return tensors;
}

type ReadVector = (
  buffer: ArrayBufferLike,
  page: number,
  config: ModelConfig,
  pageTokens: number,
  head: number,
  token: number,
  kind: 0 | 1,
) => Float32Array;

const readWords: ReadVector = (buffer, page, { numKvHeads, headDim }, pageTokens, head, token, kind) => {
  const vectors = numKvHeads * pageTokens;
  const slot = kind * vectors + head * pageTokens + token;
  const numbers = new Int16Array(buffer, page + slot * headDim * 2, headDim);
  const [scale = 0] = new Float32Array(buffer, page + vectors * headDim * 4 + slot * 4, 1);
  return Float32Array.from(numbers, (x) => x * scale);
};

const readBytes: ReadVector = (buffer, page, { headDim }, pageTokens, head, token, kind) => {
  const slots = pageSlots(pageTokens);
  const at = page + head * slots * (2 * headDim + 12);
  const [scale = 0] = new Float32Array(buffer, at + slots * (2 * headDim + 8 * kind) + token * 4, 1);
  const numbers = new Int8Array(buffer, at + kind * slots * headDim, slots * headDim);
  return Float32Array.from({ length: headDim }, (_, j) => {
    const quad = Math.floor(token / 4);
    const i =
      kind === 0
        ? quad * 4 * headDim + Math.floor(j / 4) * 16 + (token % 4) * 4 + (j % 4)
        : Math.floor(j / 8) * slots * 8 + quad * 32 + (j % 8) * 4 + (token % 4);
    return numbers[i]! * scale;
  });
};
