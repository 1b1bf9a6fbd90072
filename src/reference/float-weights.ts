/** Reads the weights of a model as float32, in JavaScript's memory. */
import { GROUP, rowBytes, rowsAndLength } from '../model/manifest.ts';
import type { WeightSource } from '../model/weight-source.ts';
import { readManifest } from '../model/weights.ts';
import { dequantizeInt4, dequantizeInt8 } from './scalar.ts';

export interface FloatWeights {
  /** Row-major tensors by name. */
  readonly tensors: ReadonlyMap<string, Float32Array>;
  /** Names of the tensors whose stored weights are int4 or int8. */
  readonly quantized: ReadonlySet<string>;
}

/** @throws ModelLoadError naming the file that is missing or not valid */
export async function readFloats(source: WeightSource): Promise<FloatWeights> {
  const manifest = await readManifest(source);
  const shards: Uint8Array[] = [];
  for (const { file } of manifest.shards) {
    shards.push(new Uint8Array(await new Response(await source.stream(file)).arrayBuffer()));
  }
  const tensors = new Map<string, Float32Array>();
  const quantized = new Set<string>();
  for (const tensor of manifest.tensors) {
    const { name, type, parts } = tensor;
    const { rows, k } = rowsAndLength(tensor);
    const all = new Float32Array(rows * k);
    for (const part of parts) {
      const n = part.rows[1] - part.rows[0];
      const shard = shards[part.shard]!;
      const data = shard.slice(part.data, part.data + n * rowBytes(type, k));
      const floats =
        type === 'f32' ? new Float32Array(data.buffer) : dequantized(type, data, shard, part.scales!, n, k);
      all.set(floats, part.rows[0] * k);
    }
    tensors.set(name, all);
    if (type !== 'f32') quantized.add(name);
  }
  return { tensors, quantized };
}

function dequantized(
  type: 'int4' | 'int8',
  data: Uint8Array,
  shard: Uint8Array,
  from: number,
  n: number,
  k: number,
): Float32Array {
  const scales = new Uint16Array(shard.slice(from, from + (n * k * 2) / GROUP).buffer);
  return type === 'int4' ? dequantizeInt4(data, scales, n, k) : dequantizeInt8(data, scales, n, k);
}
