/**
 * Loads weight shards into WASM memory. It streams them to their final place, checks them, and repacks them there for
 * the kernels.
 */
import { type Arena, align } from '../kernels/arena.ts';
import type { Kernels } from '../kernels/kernels.ts';
import { ModelLoadError } from './errors.ts';
import {
  GROUP,
  type Manifest,
  manifestSchema,
  rowBytes,
  rowsAndLength,
  type TensorEntry,
  type TensorType,
} from './manifest.ts';
import type { WeightSource } from './weight-source.ts';

/** Bytes of a shard that JavaScript holds at a time. */
const CHUNK = 256 * 1024;

/** Rows `from`..`to` of a tensor, in memory. */
interface TensorPart {
  readonly from: number;
  readonly to: number;
  readonly data: number; // address
  readonly scales: number; // address, 0 for f32
}

export interface Tensor {
  readonly name: string;
  readonly type: TensorType;
  readonly rows: number;
  /** Row length; 1 for a vector. */
  readonly k: number;
  readonly parts: readonly TensorPart[];
}

export type Tensors = ReadonlyMap<string, Tensor>;

export async function readManifest(source: WeightSource): Promise<Manifest> {
  const parsed = manifestSchema.safeParse(await source.json('manifest.json'));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new ModelLoadError(`manifest.json is not valid: ${issue?.path.join('.')}: ${issue?.message}`);
  }
  for (const tensor of parsed.data.tensors) checkTensor(tensor, parsed.data);
  return parsed.data;
}

/** Arena bytes that `loadWeights` takes. */
export function weightBytes(manifest: Manifest): number {
  return manifest.shards.reduce((sum, shard) => sum + align(shard.bytes), 0);
}

/** Scratch bytes that `loadWeights` needs while it repacks: one panel of eight rows. */
export function panelBytes(manifest: Manifest): number {
  return Math.max(...manifest.tensors.map((t) => 8 * rowBytes(t.type, rowsAndLength(t).k)));
}

/** Called with the bytes of all shards that have arrived, and their total. */
export type ProgressListener = (loaded: number, total: number) => void;

/**
 * @param panel address of `panelBytes` bytes of scratch.
 * @throws ModelLoadError naming the shard that is missing, short, long or corrupt.
 */
export async function loadWeights(
  source: WeightSource,
  manifest: Manifest,
  arena: Arena,
  kernels: Kernels,
  panel: number,
  onProgress: ProgressListener = () => {},
): Promise<Tensors> {
  const bases: number[] = [];
  const total = manifest.shards.reduce((sum, shard) => sum + shard.bytes, 0);
  let before = 0;
  for (const shard of manifest.shards) {
    const base = arena.take(shard.bytes);
    await readShard(source, arena.bytes(base, shard.bytes), shard, (bytes) => onProgress(before + bytes, total));
    before += shard.bytes;
    bases.push(base);
  }
  const tensors = new Map<string, Tensor>();
  for (const entry of manifest.tensors) {
    const { rows, k } = rowsAndLength(entry);
    const parts = entry.parts.map((part) => {
      const base = bases[part.shard]!;
      const scales = part.scales === undefined ? 0 : base + part.scales;
      return { from: part.rows[0], to: part.rows[1], data: base + part.data, scales };
    });
    for (const part of parts) {
      if (entry.type === 'int4') kernels.repack_q4(part.data, part.scales, part.to - part.from, k, panel);
      if (entry.type === 'int8') kernels.repack_q8(part.data, part.scales, part.to - part.from, k, panel);
    }
    tensors.set(entry.name, { name: entry.name, type: entry.type, rows, k, parts });
  }
  return tensors;
}

/** The shard arrived whole but differs from the manifest. */
class WrongShardError extends ModelLoadError {}

async function readShard(
  source: WeightSource,
  target: Uint8Array<ArrayBuffer>,
  { file, sha256 }: Manifest['shards'][number],
  onProgress: (bytes: number) => void,
): Promise<void> {
  const read = async () => {
    await fill(target, file, await source.stream(file), onProgress);
    await requireSha256(target, file, sha256);
  };
  try {
    await read();
  } catch (error) {
    if (!source.discard || !(error instanceof WrongShardError)) throw error;
    // A kept copy may be damaged, or belong to an older version of the model.
    await source.discard(file);
    await read();
  }
}

async function fill(
  target: Uint8Array,
  file: string,
  stream: ReadableStream<Uint8Array>,
  onProgress: (bytes: number) => void,
): Promise<void> {
  // One buffer is passed back and forth: separate chunks would stay in the isolate's memory until collected.
  const reader = stream.getReader({ mode: 'byob' });
  let buffer = new ArrayBuffer(CHUNK);
  let at = 0;
  for (;;) {
    const { done, value } = await reader.read(new Uint8Array(buffer)).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      throw new ModelLoadError(`weight shard ${file} breaks off after ${at} bytes: ${why}`);
    });
    if (done) break;
    if (at + value.length > target.length) {
      await reader.cancel();
      throw new WrongShardError(`weight shard ${file} is longer than the ${target.length} bytes of the manifest`);
    }
    target.set(value, at);
    at += value.length;
    onProgress(at);
    buffer = value.buffer;
  }
  if (at !== target.length) {
    throw new WrongShardError(`weight shard ${file} has ${at} bytes, the manifest says ${target.length}`);
  }
}

export async function requireSha256(bytes: Uint8Array<ArrayBuffer>, file: string, sha256: string): Promise<void> {
  // A shared memory cannot be hashed in place.
  const own = bytes.buffer instanceof ArrayBuffer ? bytes : bytes.slice();
  const digest = await sha256Of(own);
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  if (hex !== sha256) throw new WrongShardError(`weight shard ${file} is corrupt: sha256 ${hex}, expected ${sha256}`);
}

/** A page that came over plain HTTP, from another host than localhost, has no `crypto.subtle`. */
async function sha256Of(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const { subtle } = crypto as { readonly subtle?: SubtleCrypto };
  if (subtle) return new Uint8Array(await subtle.digest('SHA-256', bytes));
  const { sha256: digest } = await import('@noble/hashes/sha2.js');
  return digest(bytes);
}

function checkTensor(tensor: TensorEntry, manifest: Manifest): void {
  const { rows, k } = rowsAndLength(tensor);
  const failure = (why: string) => new ModelLoadError(`manifest.json: tensor ${tensor.name} ${why}`);
  if (tensor.type !== 'f32' && k % GROUP !== 0) throw failure(`has rows of ${k}, not a multiple of ${GROUP}`);
  let row = 0;
  for (const part of tensor.parts) {
    const [from, to] = part.rows;
    if (from !== row || to <= from) throw failure(`has parts that do not follow one another at row ${row}`);
    row = to;
    const shard = manifest.shards[part.shard];
    if (!shard) throw failure(`names shard ${part.shard}, which does not exist`);
    const regions: [start: number, bytes: number][] = [[part.data, (to - from) * rowBytes(tensor.type, k)]];
    if (tensor.type !== 'f32') {
      if (part.scales === undefined) throw failure('has no scales');
      regions.push([part.scales, ((to - from) * k * 2) / GROUP]);
    }
    for (const [start, bytes] of regions) {
      if (start % 4 !== 0 || start + bytes > shard.bytes) throw failure(`reaches outside shard ${shard.file}`);
    }
  }
  if (row !== rows) throw failure(`has ${rows} rows but parts for ${row}`);
}
