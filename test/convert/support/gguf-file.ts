/** A hand-written writer of GGUF (version 3, little-endian). */
import { writeFile } from 'node:fs/promises';

export interface StoredTensor {
  /** GGML's type number. */
  readonly type: number;
  /** Fastest dimension first. */
  readonly dimensions: readonly number[];
  readonly bytes: Uint8Array;
}

/** An integer is written as uint32, another number as float32. */
export type MetadataValue = boolean | number | string | readonly string[] | readonly number[];

const ALIGNMENT = 32;
const [UINT32, INT32, FLOAT32, BOOL, STRING, ARRAY] = [4, 5, 6, 7, 8, 9];

const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer);
const u64 = (value: number) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);
const text = (value: string) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
const padding = (bytes: number) => Buffer.alloc((ALIGNMENT - (bytes % ALIGNMENT)) % ALIGNMENT);

function encode(value: MetadataValue): Buffer {
  if (typeof value === 'boolean') return Buffer.concat([u32(BOOL!), Buffer.of(value ? 1 : 0)]);
  if (typeof value === 'string') return Buffer.concat([u32(STRING!), text(value)]);
  if (typeof value === 'number') {
    if (Number.isInteger(value)) return Buffer.concat([u32(UINT32!), u32(value)]);
    return Buffer.concat([u32(FLOAT32!), Buffer.from(Float32Array.of(value).buffer)]);
  }
  const strings = typeof value[0] === 'string';
  const items = value.map((item) => (typeof item === 'string' ? text(item) : u32(item)));
  return Buffer.concat([u32(ARRAY!), u32(strings ? STRING! : INT32!), u64(value.length), ...items]);
}

export async function writeGguf(
  path: string,
  metadata: Readonly<Record<string, MetadataValue>>,
  tensors: Readonly<Record<string, StoredTensor>>,
): Promise<void> {
  const counts = [u64(Object.keys(tensors).length), u64(Object.keys(metadata).length)];
  const header: Uint8Array[] = [Buffer.from('GGUF'), u32(3), ...counts];
  for (const [key, value] of Object.entries(metadata)) header.push(text(key), encode(value));
  const data: Buffer[] = [];
  let at = 0;
  for (const [name, { type, dimensions, bytes }] of Object.entries(tensors)) {
    header.push(text(name), u32(dimensions.length), ...dimensions.map(u64), u32(type), u64(at));
    const padded = Buffer.concat([bytes, padding(bytes.byteLength)]);
    data.push(padded);
    at += padded.byteLength;
  }
  const head = Buffer.concat(header);
  await writeFile(path, Buffer.concat([head, padding(head.byteLength), ...data]));
}
