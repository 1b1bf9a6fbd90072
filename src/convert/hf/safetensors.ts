/**
 * Reads the tensors of a Hugging Face directory: model.safetensors, or the shards that model.safetensors.index.json
 * lists.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ConversionError, rowsAndColumns, type Shape, type TensorReader } from '../checkpoint.ts';
import { ELEMENT_BYTES, type ElementType, elementsToFloat32 } from '../elements.ts';
import { checkJson, parseCheckedJson, readJsonFile } from '../json-file.ts';
import { RangeFile } from '../range-file.ts';
import { Scratch } from '../scratch.ts';

const headerEntry = z.object({
  dtype: z.string(),
  shape: z.array(z.int().nonnegative()),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
});
const indexSchema = z.object({ weight_map: z.record(z.string(), z.string()) });

const INDEX = 'model.safetensors.index.json';

/** The format's own limit on the header, in bytes. */
const MAX_HEADER = 100_000_000;

interface StoredTensor {
  readonly file: RangeFile;
  readonly type: string;
  readonly shape: readonly number[];
  /** Byte position in the file. */
  readonly offset: number;
}

export class SafetensorsReader implements TensorReader {
  readonly shapes = new Map<string, Shape>();
  readonly #files: RangeFile[] = [];
  readonly #tensors = new Map<string, StoredTensor>();
  readonly #raw = new Scratch();
  readonly #values = new Scratch();

  /** @throws ConversionError if the directory has no safetensors or a header is not one. */
  static async open(directory: string): Promise<SafetensorsReader> {
    const reader = new SafetensorsReader();
    try {
      for (const file of await weightFiles(directory)) await reader.#addFile(join(directory, file));
    } catch (error) {
      await reader.close();
      throw error;
    }
    return reader;
  }

  async readRows(name: string, start: number, end: number): Promise<Float32Array> {
    const tensor = this.#tensors.get(name);
    const shape = this.shapes.get(name);
    if (tensor === undefined) throw new ConversionError(`the checkpoint has no tensor ${name}`);
    if (shape === undefined) {
      throw new ConversionError(`${name} has shape [${tensor.shape}]; only vectors and matrices are understood`);
    }
    if (!(tensor.type in ELEMENT_BYTES)) {
      throw new ConversionError(`${name} is ${tensor.type}; only F32, F16 and BF16 safetensors are read`);
    }
    const type = tensor.type as ElementType;
    const { columns } = rowsAndColumns(shape);
    const size = ELEMENT_BYTES[type];
    const raw = this.#raw.bytes((end - start) * columns * size);
    await tensor.file.read(tensor.offset + start * columns * size, raw);
    const values = this.#values.floats((end - start) * columns);
    elementsToFloat32(type, raw, values);
    return values;
  }

  async close(): Promise<void> {
    for (const file of this.#files) await file.close();
  }

  async #addFile(path: string): Promise<void> {
    const file = await RangeFile.open(path);
    this.#files.push(file);
    const prefix = new Uint8Array(8);
    await file.read(0, prefix);
    const length = Number(new DataView(prefix.buffer).getBigUint64(0, true));
    if (length > Math.min(MAX_HEADER, file.bytes - 8)) throw new ConversionError(`${path} is not a safetensors file`);
    const text = new Uint8Array(length);
    await file.read(8, text);
    const header = parseCheckedJson(new TextDecoder().decode(text), path, z.record(z.string(), z.unknown()));
    for (const [name, value] of Object.entries(header)) {
      if (name === '__metadata__') continue;
      const entry = checkJson(value, `${path}: ${name}`, headerEntry);
      this.#tensors.set(name, {
        file,
        type: entry.dtype,
        shape: entry.shape,
        offset: 8 + length + entry.data_offsets[0],
      });
      const [rows, columns] = entry.shape;
      if (rows === undefined || entry.shape.length > 2) continue;
      this.shapes.set(name, columns === undefined ? [rows] : [rows, columns]);
    }
  }
}

/** Names of the files that the text of a model.safetensors.index.json lists. @throws ConversionError */
export function safetensorsFiles(index: string): string[] {
  return filesOf(parseCheckedJson(index, INDEX, indexSchema));
}

function filesOf(index: z.infer<typeof indexSchema>): string[] {
  return [...new Set(Object.values(index.weight_map))].sort();
}

async function weightFiles(directory: string): Promise<string[]> {
  const index = await readJsonFile(directory, INDEX, indexSchema);
  if (index !== undefined) return filesOf(index);
  if (existsSync(join(directory, 'model.safetensors'))) return ['model.safetensors'];
  throw new ConversionError(`${directory} has neither model.safetensors nor model.safetensors.index.json`);
}
