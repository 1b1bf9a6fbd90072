/**
 * Reads the tensors of a Hugging Face directory: model.safetensors, or the shards that model.safetensors.index.json
 * lists.
 */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { ConversionError, rowsAndColumns, type Shape, type TensorReader } from '../checkpoint.ts';
import { ELEMENT_BYTES, type ElementType, elementsToFloat32 } from '../elements.ts';
import { parseCheckedJson, readJsonFile } from '../json-file.ts';
import { RangeFile } from '../range-file.ts';
import { Scratch } from '../scratch.ts';
import { type HeaderEntry, readSafetensorsHeader } from './safetensors-header.ts';

const indexSchema = z.object({
  weight_map: z.record(
    z.string(),
    z
      .string()
      .refine(
        (file) => file === basename(file) && !file.includes('\\'),
        'must be the name of a file in the same directory',
      ),
  ),
});

const INDEX = 'model.safetensors.index.json';
const SINGLE = 'model.safetensors';

interface StoredTensor extends HeaderEntry {
  readonly file: RangeFile;
}

export class SafetensorsReader implements TensorReader {
  readonly shapes = new Map<string, Shape>();
  /** What the writer of the files noted in them. */
  readonly metadata = new Map<string, string>();
  readonly #files: RangeFile[] = [];
  readonly #tensors = new Map<string, StoredTensor>();
  readonly #raw = new Scratch();
  readonly #values = new Scratch();

  /** @throws ConversionError if the directory has no safetensors, or one that the reference library would refuse */
  static async open(directory: string): Promise<SafetensorsReader> {
    const reader = new SafetensorsReader();
    try {
      const index = await readJsonFile(directory, INDEX, indexSchema);
      if (index !== undefined) await reader.#addShards(directory, new Map(Object.entries(index.weight_map)));
      else if (existsSync(join(directory, SINGLE))) {
        for (const tensor of await reader.#openFile(directory, SINGLE)) reader.#add(tensor);
      } else throw new ConversionError(`${directory} has neither ${SINGLE} nor ${INDEX}`);
    } catch (error) {
      await reader.close();
      throw error;
    }
    return reader;
  }

  /** One file by its name. @throws ConversionError if the reference library would refuse it */
  static async openFile(directory: string, name: string): Promise<SafetensorsReader> {
    const reader = new SafetensorsReader();
    try {
      for (const tensor of await reader.#openFile(directory, name)) reader.#add(tensor);
    } catch (error) {
      await reader.close();
      throw error;
    }
    return reader;
  }

  async readRows(name: string, start: number, end: number): Promise<Float32Array> {
    const tensor = this.#tensors.get(name);
    if (tensor === undefined) throw new ConversionError(`the checkpoint has no tensor ${name}`);
    if (!(tensor.type in ELEMENT_BYTES)) {
      throw new ConversionError(`${name} is ${tensor.type}; only F32, F16 and BF16 safetensors are read`);
    }
    const type = tensor.type as ElementType;
    const { columns } = rowsAndColumns(tensor.shape);
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

  /** @param placed the index: file by tensor. It decides where two files have a tensor of one name. */
  async #addShards(directory: string, placed: ReadonlyMap<string, string>): Promise<void> {
    for (const shard of shardsOf(placed.values())) {
      for (const tensor of await this.#openFile(directory, shard)) {
        const place = placed.get(tensor.name);
        if (place === undefined) throw new ConversionError(`${shard} has ${tensor.name}, which ${INDEX} does not list`);
        if (place === shard) this.#add(tensor);
      }
    }
    for (const [name, shard] of placed) {
      if (!this.#tensors.has(name)) throw new ConversionError(`${INDEX} places ${name} in ${shard}, which lacks it`);
    }
  }

  async #openFile(directory: string, name: string): Promise<readonly StoredTensor[]> {
    const file = await RangeFile.open(join(directory, name));
    this.#files.push(file);
    const { tensors, metadata } = await readSafetensorsHeader(file);
    for (const [key, value] of Object.entries(metadata)) this.metadata.set(key, value);
    return tensors.map((entry) => ({ ...entry, file }));
  }

  #add(tensor: StoredTensor): void {
    this.#tensors.set(tensor.name, tensor);
    this.shapes.set(tensor.name, tensor.shape);
  }
}

/** Names of the files that the text of a model.safetensors.index.json lists. @throws ConversionError */
export function safetensorsFiles(index: string): string[] {
  return shardsOf(Object.values(parseCheckedJson(index, INDEX, indexSchema).weight_map));
}

function shardsOf(placed: Iterable<string>): string[] {
  return [...new Set(placed)].sort();
}
