/** What an execution provider of ONNX Runtime Web has to offer to `OnnxModel`. There are two providers. */
import type { InferenceSession, Tensor } from 'onnxruntime-web';
import type { ModelConfig } from '../config.ts';
import type { RuntimeName } from '../model.ts';
import { keyNames, type Precision, valueNames } from './decoder-graph.ts';
import type { DataFile } from './external-data.ts';

export type SessionTensors = Readonly<Record<string, Tensor>>;

/** K and V of one request's committed tokens, for all layers. */
export interface KvStore {
  /** The inputs `past_*`: the first `length` tokens. */
  past(length: number): SessionTensors;
  /** Takes the first `count` rows of the outputs `new_*` as tokens `length`, `length + 1`, ... Disposes of these outputs. */
  append(length: number, count: number, outputs: SessionTensors): void;
  /** The first `length` tokens, by name of input: (length, kvHeads * d) each. For tests. */
  read(length: number): Promise<ReadonlyMap<string, Float32Array>>;
  free(): void;
}

export interface Backend {
  readonly runtime: RuntimeName;
  /** The device or engine, in words. */
  readonly adapter: string;
  readonly precision: Precision;
  /** Must not run beside another call of ONNX Runtime: see `alone`. */
  open(config: ModelConfig, graph: Uint8Array, files: readonly DataFile[]): Promise<InferenceSession>;
  tensor(type: 'float32' | 'int64', data: Float32Array | BigInt64Array, dims: readonly number[]): Tensor;
  /** A tensor in the precision of activations. */
  floats(values: Float32Array, dims: readonly number[]): Tensor;
  createStore(config: ModelConfig, tokens: number): KvStore;
}

/** Every layer's names, K and V. */
export function kvNames({ numLayers }: ModelConfig): { past: string; present: string }[] {
  return Array.from({ length: numLayers }, (_, l) => [keyNames(l), valueNames(l)]).flat();
}

/** Bytes of one token's K and V in all layers. */
export function tokenBytes({ numLayers, numKvHeads, headDim }: ModelConfig, precision: Precision): number {
  return 2 * numLayers * numKvHeads * headDim * (precision === 'fp16' ? 2 : 4);
}
