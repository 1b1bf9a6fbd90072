/** Hands the weight shards to an ONNX graph as they are. The graph names their regions. */
import type { ModelConfig } from '../config.ts';
import { ModelLoadError } from '../errors.ts';
import { GROUP, type Manifest, rowBytes, rowsAndLength, type TensorEntry, type TensorType } from '../manifest.ts';
import { ropeFrequencies, ropeMagnitude } from '../rope.ts';
import type { WeightSource } from '../weight-source.ts';
import { requireSha256 } from '../weights.ts';
import type { External } from './graph-builder.ts';

/** A file that the graph names, in memory. */
export interface DataFile {
  readonly path: string;
  readonly data: Uint8Array;
}

export interface StoredTensor {
  readonly name: string;
  readonly type: TensorType;
  /** [N, K], or [N] for a vector. */
  readonly shape: readonly number[];
  readonly data: External;
  /** fp16 (N, K / 32); null for f32. */
  readonly scales: External | null;
}

export interface ExternalData {
  readonly files: readonly DataFile[];
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Bytes of all shards. */
  readonly bytes: number;
}

/** @throws ModelLoadError naming the shard that is missing, short, long or corrupt. */
export async function readExternalData(source: WeightSource, manifest: Manifest): Promise<ExternalData> {
  const files: DataFile[] = [];
  for (const { file, bytes, sha256 } of manifest.shards) {
    const data = new Uint8Array(await new Response(await source.stream(file)).arrayBuffer());
    if (data.length !== bytes) {
      throw new ModelLoadError(`weight shard ${file} has ${data.length} bytes, the manifest says ${bytes}`);
    }
    await requireSha256(data, file, sha256);
    files.push({ path: file, data });
  }
  const tensors = new Map<string, StoredTensor>();
  const shards = files.slice();
  for (const tensor of manifest.tensors) {
    const placed = tensor.parts.length === 1 ? inPlace(tensor, shards) : joined(tensor, shards);
    if (placed.file) files.push(placed.file);
    tensors.set(tensor.name, placed.tensor);
  }
  return { files, tensors, bytes: shards.reduce((sum, { data }) => sum + data.length, 0) };
}

/** Bytes of the data and of the scales of `rows` rows. */
function sizes(entry: TensorEntry, rows: number): { data: number; scales: number } {
  const { type } = entry;
  const { k } = rowsAndLength(entry);
  return { data: rows * rowBytes(type, k), scales: type === 'f32' ? 0 : (rows * k * 2) / GROUP };
}

interface Placed {
  readonly tensor: StoredTensor;
  readonly file?: DataFile;
}

function inPlace(entry: TensorEntry, shards: readonly DataFile[]): Placed {
  const { name, type, shape, parts } = entry;
  const part = parts[0]!;
  const size = sizes(entry, rowsAndLength(entry).rows);
  const location = shards[part.shard]!.path;
  const data = { location, offset: part.data, length: size.data };
  const scales = type === 'f32' ? null : { location, offset: part.scales!, length: size.scales };
  return { tensor: { name, type, shape, data, scales } };
}

/** Joins a matrix larger than a shard: the bytes of an initializer must be contiguous. */
function joined(entry: TensorEntry, shards: readonly DataFile[]): Placed {
  const { name, type, shape, parts } = entry;
  const size = sizes(entry, rowsAndLength(entry).rows);
  const bytes = new Uint8Array(size.data + size.scales);
  for (const part of parts) {
    const shard = shards[part.shard]!.data;
    const before = sizes(entry, part.rows[0]);
    const own = sizes(entry, part.rows[1] - part.rows[0]);
    bytes.set(shard.subarray(part.data, part.data + own.data), before.data);
    if (part.scales === undefined) continue;
    bytes.set(shard.subarray(part.scales, part.scales + own.scales), size.data + before.scales);
  }
  const data = { location: name, offset: 0, length: size.data };
  const scales = type === 'f32' ? null : { location: name, offset: size.data, length: size.scales };
  return { tensor: { name, type, shape, data, scales }, file: { path: name, data: bytes } };
}

/** Constants of a graph besides weights: RoPE's angles, the ids as floats, and a term that hides the mask token. */
export interface Tables {
  readonly file: DataFile;
  readonly cosines: External; // (maxTokens, d / 2)
  readonly sines: External; // (maxTokens, d / 2)
  readonly ids: External; // (V) 0, 1, 2, ...
  readonly hidden: External; // (V) added to the logits
}

/** Never the best logit, and its exponential is 0. An infinity would give 0 * inf in the entropy. */
const HIDDEN = -1e30;

export function createTables(config: ModelConfig, maxTokens: number): Tables {
  const { headDim, vocabSize, maskTokenId } = config;
  const frequencies = ropeFrequencies(config); // (d/2)
  const magnitude = ropeMagnitude(config);
  const half = headDim / 2;
  const angles = maxTokens * half;
  const values = new Float32Array(2 * angles + 2 * vocabSize);
  for (let i = 0; i < angles; i++) {
    const angle = Math.floor(i / half) * frequencies[i % half]!;
    values[i] = magnitude * Math.cos(angle);
    values[angles + i] = magnitude * Math.sin(angle);
  }
  for (let id = 0; id < vocabSize; id++) values[2 * angles + id] = id;
  values[2 * angles + vocabSize + maskTokenId] = HIDDEN;
  const location = 'tables';
  const region = (from: number, count: number) => ({ location, offset: from * 4, length: count * 4 });
  return {
    file: { path: location, data: new Uint8Array(values.buffer) },
    cosines: region(0, angles),
    sines: region(angles, angles),
    ids: region(2 * angles, vocabSize),
    hidden: region(2 * angles + vocabSize, vocabSize),
  };
}
