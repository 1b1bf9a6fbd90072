/** An adapter of `python -m recipe drafts`, as the tensors that a model directory has of it. */

import { basename, dirname } from 'node:path';
import { draftNames, draftWidth } from '../../model/manifest.ts';
import { ConversionError, type Shape, type TensorReader } from '../checkpoint.ts';
import { SafetensorsReader } from '../hf/safetensors.ts';
import { Scratch } from '../scratch.ts';

const FILE_NAME = /^(layers\.\d+\.(?:self_attn|mlp)\.[a-z]+_proj)\.lora_([ab])$/;

/** A tensor of the file, and its name there. */
interface Entry {
  readonly stored: string;
  readonly factor: number;
}

/** A is as in the file. B has the scale of the training in it, and zeros after the rank, up to whole groups. */
export class DraftAdapter implements TensorReader {
  readonly rank: number;
  readonly shapes = new Map<string, Shape>();
  readonly #file: SafetensorsReader;
  readonly #entries = new Map<string, Entry>();
  readonly #wide = new Scratch();

  /** @throws ConversionError naming the tensor or the field of the metadata that is not an adapter's */
  static async open(path: string): Promise<DraftAdapter> {
    const file = await SafetensorsReader.openFile(dirname(path), basename(path));
    try {
      return new DraftAdapter(path, file);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  private constructor(path: string, file: SafetensorsReader) {
    const number = (key: string) => {
      const value = Number(file.metadata.get(key));
      if (value > 0 && Number.isFinite(value)) return value;
      throw new ConversionError(
        `${path} has no ${key} in its metadata: it is not an adapter of python -m recipe drafts`,
      );
    };
    this.#file = file;
    this.rank = number('rank');
    const scale = number('scale');
    for (const [stored, shape] of file.shapes) {
      const [, module, part] = FILE_NAME.exec(stored) ?? [];
      if (module === undefined) throw new ConversionError(`${path} has ${stored}, which drafts have no place for`);
      const [rows, columns] = shape as [number, number];
      const names = draftNames(`model.${module}`);
      if (part === 'a') this.#add(names.a, [rows, columns], { stored, factor: 1 });
      else this.#add(names.b, [rows, draftWidth(columns)], { stored, factor: scale });
    }
  }

  #add(name: string, shape: Shape, entry: Entry): void {
    this.shapes.set(name, shape);
    this.#entries.set(name, entry);
  }

  async readRows(name: string, start: number, end: number): Promise<Float32Array> {
    const entry = this.#entries.get(name);
    if (!entry) throw new ConversionError(`the adapter has no tensor ${name}`);
    const rows = await this.#file.readRows(entry.stored, start, end);
    const columns = rows.length / (end - start);
    const width = this.shapes.get(name)![1]!;
    const wide = this.#wide.floats((end - start) * width);
    wide.fill(0);
    for (let r = 0; r < end - start; r++) {
      for (let i = 0; i < columns; i++) wide[r * width + i] = rows[r * columns + i]! * entry.factor;
    }
    return wide;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
