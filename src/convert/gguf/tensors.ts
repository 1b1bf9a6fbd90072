/** Reads the tensors of a GGUF file, under Hugging Face's names and in Hugging Face's row order. */
import { type GGUFParseOutput, gguf } from '@huggingface/gguf';
import { ConversionError, rowsAndColumns, type Shape, type TensorReader } from '../checkpoint.ts';
import { RangeFile } from '../range-file.ts';
import { Scratch } from '../scratch.ts';
import { GGUF_TYPES } from './blocks.ts';
import { huggingFaceName, interleavedRow } from './names.ts';

interface StoredTensor {
  readonly type: number;
  /** Byte position in the file. */
  readonly offset: number;
}

/** Parses the header only. @throws ConversionError if the file is not a GGUF that can be read. */
export async function readGgufHeader(path: string): Promise<GGUFParseOutput> {
  let header: GGUFParseOutput;
  try {
    header = await gguf(path, { allowLocalFile: true });
  } catch (error) {
    throw new ConversionError(`${path} is not a readable GGUF file: ${(error as Error).message}`, { cause: error });
  }
  if (!header.littleEndian) throw new ConversionError(`${path} is a big-endian GGUF; only little-endian is read`);
  return header;
}

/** Shape by Hugging Face name. */
export function ggufShapes(header: GGUFParseOutput): ReadonlyMap<string, Shape> {
  const shapes = new Map<string, Shape>();
  for (const info of header.tensorInfos) {
    // GGML lists the fastest dimension first.
    shapes.set(huggingFaceName(info.name), info.shape.map(Number).reverse());
  }
  return shapes;
}

export class GgufReader implements TensorReader {
  readonly shapes: ReadonlyMap<string, Shape>;
  readonly #file: RangeFile;
  readonly #tensors = new Map<string, StoredTensor>();
  /** Set where q and k are interleaved for RoPE (Llama). */
  readonly #interleavedHeadDim: number | undefined;
  readonly #raw = new Scratch();
  readonly #values = new Scratch();
  readonly #ordered = new Scratch();

  private constructor(file: RangeFile, header: GGUFParseOutput, interleavedHeadDim: number | undefined) {
    this.#file = file;
    this.shapes = ggufShapes(header);
    this.#interleavedHeadDim = interleavedHeadDim;
    for (const info of header.tensorInfos) {
      this.#tensors.set(huggingFaceName(info.name), {
        type: info.dtype,
        offset: Number(header.tensorDataOffset + info.offset),
      });
    }
  }

  static async open(
    path: string,
    header: GGUFParseOutput,
    interleavedHeadDim: number | undefined,
  ): Promise<GgufReader> {
    return new GgufReader(await RangeFile.open(path), header, interleavedHeadDim);
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
    await this.#file.close();
  }

  async #readStored(name: string, start: number, end: number): Promise<Float32Array> {
    const tensor = this.#tensors.get(name);
    const shape = this.shapes.get(name);
    if (tensor === undefined || shape === undefined) throw new ConversionError(`the GGUF has no matrix ${name}`);
    const type = GGUF_TYPES.get(tensor.type);
    if (type === undefined) {
      const known = [...GGUF_TYPES.values()].map((t) => t.name).join(', ');
      throw new ConversionError(
        `${name} has GGML type ${tensor.type}; only ${known} are read: use a file of one of them`,
      );
    }
    const { columns } = rowsAndColumns(shape);
    const stride = type.rowBytes(columns);
    const raw = this.#raw.bytes((end - start) * stride);
    await this.#file.read(tensor.offset + start * stride, raw);
    const values = this.#values.floats((end - start) * columns);
    type.decode(raw, values);
    return values;
  }
}
