/**
 * The tensors of a checkpoint with a LoRA adapter merged into them, as PEFT's `merge_and_unload` does it in float32. A row
 * is merged when it is read, so memory stays that of a conversion and of one matrix A.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ConversionError, rowsAndColumns, type Shape, type TensorReader } from '../checkpoint.ts';
import { SafetensorsReader } from '../hf/safetensors.ts';
import { Scratch } from '../scratch.ts';
import { EMBEDDING, LM_HEAD } from '../write/tensor-order.ts';
import { type AdapterConfig, isTarget, readAdapterConfig, scalingOf } from './config.ts';

const FILE = 'adapter_model.safetensors';
const PREFIX = 'base_model.model.';
/** [rank, K] and [N, rank] of a linear layer; [rank, V] and [hidden, rank] of an embedding. */
const LOW_RANK = /^(.+)\.lora_(embedding_)?([AB])(\.weight)?$/;

interface Delta {
  /** Names in the adapter's file. */
  readonly a: string;
  readonly b: string;
  /** B A is stored for the transposed weight. */
  readonly embedding: boolean;
  readonly rank: number;
  readonly scale: number;
}

export class AdaptedTensors implements TensorReader {
  readonly shapes: ReadonlyMap<string, Shape>;
  /** For people. */
  readonly summary: string;
  readonly #base: TensorReader;
  readonly #adapter: SafetensorsReader;
  readonly #deltas: ReadonlyMap<string, Delta>;
  /** Tensors of the adapter's file that stand for one of the base, by its name. */
  readonly #replaced: ReadonlyMap<string, string>;
  readonly #merged = new Scratch();
  #loaded: { name: string; a: Float32Array; b: Float32Array } | undefined;

  /**
   * @param directory with adapter_config.json and adapter_model.safetensors
   * @throws ConversionError naming the field or tensor that is missing, does not fit the base or is not supported
   */
  static async open(base: TensorReader, directory: string): Promise<AdaptedTensors> {
    const config = await readAdapterConfig(directory);
    if (!existsSync(join(directory, FILE))) {
      throw new ConversionError(`--adapter ${directory} has no ${FILE}: save the adapter with safetensors`);
    }
    const adapter = await SafetensorsReader.openFile(directory, FILE);
    try {
      return new AdaptedTensors(base, adapter, config);
    } catch (error) {
      await adapter.close();
      throw error;
    }
  }

  private constructor(base: TensorReader, adapter: SafetensorsReader, config: AdapterConfig) {
    this.#base = base;
    this.#adapter = adapter;
    this.#deltas = deltasOf(adapter, config);
    this.#replaced = replacementsOf(adapter);
    const shapes = new Map(base.shapes);
    const tied = !shapes.has(LM_HEAD);
    for (const name of this.#deltas.keys()) {
      if (tied && (name === EMBEDDING || name === LM_HEAD)) {
        throw new ConversionError(
          `the adapter changes ${name}, but embedding and LM head are one matrix of this checkpoint: untie them first`,
        );
      }
    }
    for (const module of config.modules_to_save ?? []) {
      if ([...this.#replaced.keys()].some((name) => `.${name}`.includes(`.${module}.`))) continue;
      throw new ConversionError(`adapter_config.json: modules_to_save has ${module}, ${FILE} no tensor of it`);
    }
    // A copy of one of two tied matrices is one of its own from then on.
    const copied = [EMBEDDING, LM_HEAD].filter((name) => this.#replaced.has(name));
    if (tied && copied.length > 0) {
      if (copied.some((name) => !(config.modules_to_save ?? []).some((module) => `.${name}`.includes(`.${module}.`)))) {
        throw new ConversionError(
          `${FILE} has ${copied.join(' and ')} outside modules_to_save, which are one matrix of this checkpoint: untie them first`,
        );
      }
      shapes.set(LM_HEAD, shapes.get(EMBEDDING)!);
    }
    for (const [name, stored] of this.#replaced) {
      if (!shapes.has(name)) throw new ConversionError(`the adapter has ${name}, which the checkpoint lacks`);
      shapes.set(name, adapter.shapes.get(stored)!);
    }
    this.shapes = shapes;
    for (const [name, delta] of this.#deltas) this.#checkShapes(name, delta);
    const saved = this.#replaced.size > 0 ? `, ${this.#replaced.size} tensors saved whole` : '';
    this.summary = `rank ${config.r} over ${this.#deltas.size} matrices${saved}`;
  }

  async readRows(name: string, start: number, end: number): Promise<Float32Array> {
    const delta = this.#deltas.get(name);
    if (delta === undefined) return this.#unmerged(name, start, end);
    const { columns } = rowsAndColumns(this.shapes.get(name)!);
    // Before the rows, which may come from the same reader: it uses its buffer again.
    const { a, b } = await this.#load(name, delta);
    const rows = await this.#unmerged(name, start, end);
    const merged = this.#merged.floats(rows.length);
    const change = new Float64Array(columns);
    for (let row = start; row < end; row++) {
      change.fill(0);
      if (delta.embedding) addEmbedding(change, a, b, delta, row);
      else addLinear(change, a, b, delta, row);
      const at = (row - start) * columns;
      for (let k = 0; k < columns; k++) merged[at + k] = rows[at + k]! + change[k]! * delta.scale;
    }
    return merged;
  }

  async close(): Promise<void> {
    await this.#adapter.close();
    await this.#base.close();
  }

  async #unmerged(name: string, start: number, end: number): Promise<Float32Array> {
    const stored = this.#replaced.get(name);
    if (stored !== undefined) return this.#adapter.readRows(stored, start, end);
    // An LM head that was tied until the adapter brought an embedding of its own.
    const source = name === LM_HEAD && !this.#base.shapes.has(LM_HEAD) ? EMBEDDING : name;
    return this.#base.readRows(source, start, end);
  }

  /** A and B of the matrix that is being read. */
  async #load(name: string, { a, b }: Delta): Promise<{ a: Float32Array; b: Float32Array }> {
    if (this.#loaded?.name !== name) {
      const whole = async (tensor: string) => {
        const { rows } = rowsAndColumns(this.#adapter.shapes.get(tensor)!);
        return (await this.#adapter.readRows(tensor, 0, rows)).slice();
      };
      this.#loaded = { name, a: await whole(a), b: await whole(b) };
    }
    return this.#loaded;
  }

  #checkShapes(name: string, { a, b, rank, embedding }: Delta): void {
    const shape = this.shapes.get(name);
    if (shape === undefined) throw new ConversionError(`the adapter changes ${name}, which the checkpoint lacks`);
    const { rows, columns } = rowsAndColumns(shape);
    const expected = embedding
      ? ([
          [rank, rows],
          [columns, rank],
        ] as const)
      : ([
          [rank, columns],
          [rows, rank],
        ] as const);
    for (const [i, tensor] of [a, b].entries()) {
      const found = this.#adapter.shapes.get(tensor);
      if (found?.join() === expected[i]!.join()) continue;
      throw new ConversionError(
        `${FILE}: ${tensor} has shape [${found ?? 'none'}]; rank ${rank} over ${name} needs [${expected[i]}]`,
      );
    }
  }
}

/** change (K) += B[row] (rank) A (rank, K) */
function addLinear(change: Float64Array, a: Float32Array, b: Float32Array, { rank }: Delta, row: number): void {
  const columns = change.length;
  for (let r = 0; r < rank; r++) {
    const factor = b[row * rank + r]!;
    const at = r * columns;
    for (let k = 0; k < columns; k++) change[k]! += factor * a[at + k]!;
  }
}

/** change (hidden) += B (hidden, rank) A[:, row] of A (rank, V) */
function addEmbedding(change: Float64Array, a: Float32Array, b: Float32Array, { rank }: Delta, row: number): void {
  const vocabulary = a.length / rank;
  for (let r = 0; r < rank; r++) {
    const factor = a[r * vocabulary + row]!;
    for (let k = 0; k < change.length; k++) change[k]! += factor * b[k * rank + r]!;
  }
}

/** By the base tensor that each changes. */
function deltasOf({ shapes }: SafetensorsReader, config: AdapterConfig): Map<string, Delta> {
  const deltas = new Map<string, Delta>();
  for (const stored of shapes.keys()) {
    const [, path, kind] = LOW_RANK.exec(stored) ?? [];
    if (path === undefined || !/\.lora_(embedding_)?A/.test(stored)) continue;
    const module = baseName(path);
    if (!isTarget(config, module)) {
      throw new ConversionError(`${FILE} has ${stored}, a module that target_modules does not name`);
    }
    const b = stored.replace(/\.lora_(embedding_)?A/, '.lora_$1B');
    if (!shapes.has(b)) throw new ConversionError(`${FILE} has ${stored} without ${b}`);
    const embedding = kind !== undefined;
    deltas.set(`${module}.weight`, { a: stored, b, embedding, ...scalingOf(config, module) });
  }
  if (deltas.size === 0) throw new ConversionError(`${FILE} has no lora_A: it is no LoRA adapter`);
  return deltas;
}

function replacementsOf({ shapes }: SafetensorsReader): Map<string, string> {
  const replaced = new Map<string, string>();
  for (const stored of shapes.keys()) {
    if (LOW_RANK.test(stored)) continue;
    if (/\.lora_/.test(stored)) throw new ConversionError(`${FILE} has ${stored}, which the merge does not follow`);
    replaced.set(baseName(stored).replace(/\.(base_layer|modules_to_save)(?=\.)/, ''), stored);
  }
  return replaced;
}

function baseName(stored: string): string {
  if (!stored.startsWith(PREFIX)) throw new ConversionError(`${FILE}: ${stored} does not begin with ${PREFIX}`);
  return stored.slice(PREFIX.length);
}
