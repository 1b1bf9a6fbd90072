/** Converts GGUF element and block types to float32. A block holds 32 weights of one row. */
/// <reference lib="esnext.float16" />
/** GGUF element and block types to float32. A block holds 32 weights of one row. */
import { ELEMENT_BYTES, type ElementType, elementsToFloat32 } from '../elements.ts';

const BLOCK = 32;

export interface GgufType {
  readonly name: string;
  /** Bytes that `columns` weights of a row take. */
  rowBytes(columns: number): number;
  /** @param bytes start at a multiple of 4 in their buffer and hold exactly the weights of `out`. */
  decode(bytes: Uint8Array<ArrayBuffer>, out: Float32Array): void;
}

type BlockDecoder = (view: DataView, at: number, out: Float32Array, to: number) => void;

function plain(name: ElementType): GgufType {
  return {
    name,
    rowBytes: (columns) => columns * ELEMENT_BYTES[name],
    decode: (bytes, out) => elementsToFloat32(name, bytes, out),
  };
}

function blocked(name: string, bytesPerBlock: number, decoder: BlockDecoder): GgufType {
  return {
    name,
    rowBytes: (columns) => (columns / BLOCK) * bytesPerBlock,
    decode(bytes, out) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let b = 0; b * BLOCK < out.length; b++) decoder(view, b * bytesPerBlock, out, b * BLOCK);
    },
  };
}

/** fp16 d, 16 bytes: low nibbles are weights 0..15, high nibbles 16..31; d * (q - 8). */
const q40: BlockDecoder = (view, at, out, to) => {
  const d = view.getFloat16(at, true);
  for (let i = 0; i < 16; i++) {
    const byte = view.getUint8(at + 2 + i);
    out[to + i] = d * ((byte & 15) - 8);
    out[to + 16 + i] = d * ((byte >> 4) - 8);
  }
};

/** fp16 d, fp16 m, 16 bytes as in Q4_0; d * q + m. */
const q41: BlockDecoder = (view, at, out, to) => {
  const d = view.getFloat16(at, true);
  const m = view.getFloat16(at + 2, true);
  for (let i = 0; i < 16; i++) {
    const byte = view.getUint8(at + 4 + i);
    out[to + i] = d * (byte & 15) + m;
    out[to + 16 + i] = d * (byte >> 4) + m;
  }
};

/** fp16 d, 32 int8; d * q. */
const q80: BlockDecoder = (view, at, out, to) => {
  const d = view.getFloat16(at, true);
  for (let i = 0; i < 32; i++) out[to + i] = d * view.getInt8(at + 2 + i);
};

/** By GGML's type number. */
export const GGUF_TYPES: ReadonlyMap<number, GgufType> = new Map([
  [0, plain('F32')],
  [1, plain('F16')],
  [2, blocked('Q4_0', 18, q40)],
  [3, blocked('Q4_1', 20, q41)],
  [8, blocked('Q8_0', 34, q80)],
  [30, plain('BF16')],
]);
