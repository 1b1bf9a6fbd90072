/** Reads the tensors of a GGUF file, under Hugging Face's names and in Hugging Face's row order. */
import { ConversionError, rowsAndColumns, type Shape, type TensorReader } from '../checkpoint.ts';
import { Scratch } from '../scratch.ts';
import { GGUF_TYPES } from './blocks.ts';
import type { GgufFiles, GgufTensor } from './files.ts';
import { huggingFaceName, interleavedRow } from './names.ts';
import { ROPE_FACTORS } from './rope.ts';

export class GgufReader implements TensorReader {
  readonly shapes: ReadonlyMap<string, Shape>;
  readonly #files: GgufFiles;
  readonly #tensors: ReadonlyMap<string, GgufTensor>;
  /** Set where q and k are interleaved for RoPE (Llama). */
  readonly #interleavedHeadDim: number | undefined;
  readonly #raw = new Scratch();
  readonly #values = new Scratch();
  readonly #ordered = new Scratch();

  constructor(files: GgufFiles, interleavedHeadDim: number | undefined) {
    this.#files = files;
    this.#tensors = new Map(files.tensors.map((tensor) => [huggingFaceName(tensor.name), tensor]));
    this.#interleavedHeadDim = interleavedHeadDim;
    // The configuration holds RoPE's factors: they are no tensor of the model.
    this.shapes = new Map(
      [...this.#tensors].filter(([name]) => name !== ROPE_FACTORS).map(([name, { shape }]) => [name, shape]),
    );
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
    return decodeRows(tensor, name, start, end, this.#raw, this.#values);
  }
}

/** What RoPE's frequencies are divided by; undefined if the file does not say. */
export async function readRopeFactors({ tensors }: GgufFiles): Promise<Float32Array | undefined> {
  const tensor = tensors.find(({ name }) => name === ROPE_FACTORS);
  if (tensor === undefined) return undefined;
  return decodeRows(tensor, ROPE_FACTORS, 0, rowsAndColumns(tensor.shape).rows, new Scratch(), new Scratch());
}

/** Rows [start, end), in `values`. */
async function decodeRows(
  tensor: GgufTensor,
  name: string,
  start: number,
  end: number,
  stored: Scratch,
  values: Scratch,
): Promise<Float32Array> {
  const type = GGUF_TYPES.get(tensor.type);
  if (type === undefined) {
    const known = [...GGUF_TYPES.values()].map((t) => t.name).join(', ');
    throw new ConversionError(
      `${name} has GGML type ${tensor.type}; only ${known} are read: use a file of one of them`,
    );
  }
  const { columns } = rowsAndColumns(tensor.shape);
  const stride = type.rowBytes(columns);
  const raw = stored.bytes((end - start) * stride);
  await tensor.file.read(tensor.offset + start * stride, raw);
  const decoded = values.floats((end - start) * columns);
  type.decode(raw, decoded);
  return decoded;
}
