/** A hand-written writer of safetensors, so that the reader is not tested against itself. */
import { writeFile } from 'node:fs/promises';

export interface StoredTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export function f32Tensor(shape: readonly number[], values: Float32Array): StoredTensor {
  return { dtype: 'F32', shape, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}

export async function writeSafetensors(path: string, tensors: Readonly<Record<string, StoredTensor>>): Promise<void> {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  let at = 0;
  for (const [name, { dtype, shape, bytes }] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [at, at + bytes.byteLength] };
    at += bytes.byteLength;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const length = new Uint8Array(new BigUint64Array([BigInt(text.byteLength)]).buffer);
  await writeFile(path, Buffer.concat([length, text, ...Object.values(tensors).map((tensor) => tensor.bytes)]));
}
