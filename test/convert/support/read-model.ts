/// <reference lib="esnext.float16" />
/** Reads a converted model the slow and obvious way, from models/README.md alone. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

interface Manifest {
  format: string;
  shards: { file: string; bytes: number; sha256: string }[];
  tensors: {
    name: string;
    type: 'int4' | 'int8' | 'f32';
    shape: number[];
    parts: { shard: number; rows: [number, number]; data: number; scales?: number }[];
  }[];
}

export async function readManifest(directory: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(directory, 'manifest.json'), 'utf8'));
}

/** Every tensor dequantized, by name. */
export async function readWeights(directory: string): Promise<Map<string, number[]>> {
  const manifest = await readManifest(directory);
  const shards = await Promise.all(manifest.shards.map(({ file }) => readFile(join(directory, file))));
  const weights = new Map<string, number[]>();
  for (const { name, type, shape, parts } of manifest.tensors) {
    const columns = shape[1] ?? 1;
    const values: number[] = [];
    for (const part of parts) {
      const bytes = shards[part.shard]!;
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let i = 0; i < (part.rows[1] - part.rows[0]) * columns; i++) {
        if (type === 'f32') {
          values.push(view.getFloat32(part.data + i * 4, true));
          continue;
        }
        const scale = view.getFloat16(part.scales! + Math.floor(i / 32) * 2, true);
        const byte = view.getUint8(part.data + (type === 'int4' ? i >> 1 : i));
        const nibble = i % 2 === 0 ? byte & 15 : byte >> 4;
        values.push(type === 'int4' ? scale * (nibble - 8) : scale * (byte - 128));
      }
    }
    weights.set(name, values);
  }
  return weights;
}
