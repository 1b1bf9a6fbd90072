/** ONNX Runtime's CPU kernels in WASM. They are a cross-check, slower and larger than this project's own. */
import type { Tensor } from 'onnxruntime-web';
import type { ModelConfig } from '../config.ts';
import { type Backend, type KvStore, kvNames, type SessionTensors } from './backend.ts';
import { type EngineFile, useEngineFile } from './engine-file.ts';

/** @param file where the page has ONNX Runtime's `ort-wasm-simd-threaded.wasm`; Node finds its own */
export async function createWasmBackend(file: EngineFile | null): Promise<Backend> {
  const ort = await import('onnxruntime-web/wasm');
  useEngineFile(ort.env, file);
  const tensor: Backend['tensor'] = (type, data, dims) => new ort.Tensor(type, data as never, dims);
  return {
    runtime: 'onnx-wasm',
    adapter: 'ONNX Runtime WASM, one thread',
    precision: 'fp32',
    open: (_config, graph, files) =>
      ort.InferenceSession.create(graph, { executionProviders: ['wasm'], externalData: [...files] }),
    tensor,
    floats: (values, dims) => tensor('float32', values, dims),
    createStore: (config, tokens) => new ArrayStore(config, tokens, (data, dims) => tensor('float32', data, dims)),
  };
}

class ArrayStore implements KvStore {
  readonly #config: ModelConfig;
  readonly #tensor: (data: Float32Array, dims: readonly number[]) => Tensor;
  readonly #arrays: Map<string, Float32Array>;
  readonly #width: number;

  constructor(config: ModelConfig, tokens: number, tensor: (data: Float32Array, dims: readonly number[]) => Tensor) {
    this.#config = config;
    this.#tensor = tensor;
    this.#width = config.numKvHeads * config.headDim;
    this.#arrays = new Map(kvNames(config).map(({ past }) => [past, new Float32Array(tokens * this.#width)]));
  }

  past(length: number): SessionTensors {
    const { numKvHeads, headDim } = this.#config;
    const dims = [1, length, numKvHeads, headDim];
    const entries = Array.from(this.#arrays, ([name, array]) => [
      name,
      this.#tensor(array.subarray(0, length * this.#width), dims),
    ]);
    return Object.fromEntries(entries);
  }

  append(length: number, count: number, outputs: SessionTensors): void {
    for (const { past, present } of kvNames(this.#config)) {
      const output = outputs[present]!;
      const rows = (output.data as Float32Array).subarray(0, count * this.#width);
      this.#arrays.get(past)?.set(rows, length * this.#width);
      output.dispose();
    }
  }

  async read(length: number): Promise<ReadonlyMap<string, Float32Array>> {
    return new Map(Array.from(this.#arrays, ([name, array]) => [name, array.slice(0, length * this.#width)]));
  }

  free(): void {
    this.#arrays.clear();
  }
}
