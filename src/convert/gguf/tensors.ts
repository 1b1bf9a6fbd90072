/** Reads the tensors of a GGUF file, under Hugging Face's names and in Hugging Face's row order. */
import { ConversionError, rowsAndColumns, type Shape, type TensorReader } from '../checkpoint.ts';
import { Scratch } from '../scratch.ts';
import { GGUF_TYPES } from './blocks.ts';
import type { GgufFiles, GgufTensor } from './files.ts';
import { huggingFaceName, interleavedRow } from './names.ts';

/** Factors of RoPE's frequencies. */
const ROPE_FACTORS = 'rope_freqs.weight';

export class GgufReader implements TensorReader {
  readonly shapes: ReadonlyMap<string, Shape>;
  readonly #files: GgufFiles;
  readonly #tensors: ReadonlyMap<string, GgufTensor>;
  /** Set where q and k are interleaved for RoPE (Llama). */
  readonly #interleavedHeadDim: number | undefined;
  readonly #raw = new Scratch();
  readonly #values = new Scratch();
  readonly #ordered = new Scratch();

  private constructor(files: GgufFiles, interleavedHeadDim: number | undefined) {
    this.#files = files;
    this.#tensors = new Map(files.tensors.map((tensor) => [huggingFaceName(tensor.name), tensor]));
    this.#interleavedHeadDim = interleavedHeadDim;
    // What only says that nothing is scaled was checked, and is no part of the model.
    this.shapes = new Map(
      [...this.#tensors].filter(([name]) => name !== ROPE_FACTORS).map(([name, { shape }]) => [name, shape]),
    );
  }

  /** @throws ConversionError if the file scales RoPE's frequencies */
  static async open(files: GgufFiles, interleavedHeadDim: number | undefined): Promise<GgufReader> {
    const reader = new GgufReader(files, interleavedHeadDim);
    const factors = reader.#tensors.get(ROPE_FACTORS);
    if (factors !== undefined) {
      const values = await reader.#readStored(ROPE_FACTORS, 0, rowsAndColumns(factors.shape).rows);
      if (values.some((value) => value !== 1)) {
        throw new ConversionError(`${ROPE_FACTORS} is not 1 everywhere: RoPE would have to scale its frequencies`);
      }
    }
    return reader;
  }

  async readRows(name: string, start: number, end: number): Promise<Float32Array> {
    const headDim = this.#interleavedHeadDim;
    if (headDim === undefined || !/\.self_attn\.[qk]_proj\./.test(name)) return this.#readStored(name, start, end);
    // Reordering stays inside a head, so the stored rows are within the heads that the range touches.
    const first = Math.floor(start / headDim) * headDim;
    const stored = await this.#readStored(name, first, Math.ceil(end / headDim) * headDim);
    const { columns } = rowsAndColumns(this.shapes.get(name)!);
    const ordered = this.#ordered.floats((end - start) * columns);
    for (let row = start; row < end; row++) {
      const from = (interleavedRow(row, headDim) - first) * columns;
      ordered.set(stored.subarray(from, from + columns), (row - start) * columns);
    }
    return ordered;
  }

  async close(): Promise<void> {
    await this.#files.close();
  }

  async #readStored(name: string, start: number, end: number): Promise<Float32Array> {
    const tensor = this.#tensors.get(name);
    if (tensor === undefined) throw new ConversionError(`the GGUF has no matrix ${name}`);
    const type = GGUF_TYPES.get(tensor.type);
    if (type === undefined) {
      const known = [...GGUF_TYPES.values()].map((t) => t.name).join(', ');
      throw new ConversionError(
        `${name} has GGML type ${tensor.type}; only ${known} are read: use a file of one of them`,
      );
    }
    const { columns } = rowsAndColumns(tensor.shape);
    const stride = type.rowBytes(columns);
    const raw = this.#raw.bytes((end - start) * stride);
    await tensor.file.read(tensor.offset + start * stride, raw);
    const values = this.#values.floats((end - start) * columns);
    type.decode(raw, values);
    return values;
  }
}
