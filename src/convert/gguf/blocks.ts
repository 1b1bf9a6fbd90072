/// <reference lib="esnext.float16" />
/**
 * Converts GGUF's element and block types to float32, equal to the `gguf` package of Python. A block holds 32 or 256
 * weights of one row. Each product fits a float32, so a double that is rounded once has the same bits.
 */
import { ELEMENT_BYTES, type ElementType, elementsToFloat32 } from '../elements.ts';
import { K_BLOCK, q4k, q5k, q6k } from './k-quants.ts';

const BLOCK = 32;

export interface GgufType {
  readonly name: string;
  /** Weights of a block. */
  readonly block: number;
  /** Bytes that `columns` weights of a row take. */
  rowBytes(columns: number): number;
  /** @param bytes start at a multiple of 4 in their buffer and hold exactly the weights of `out`. */
  decode(bytes: Uint8Array<ArrayBuffer>, out: Float32Array): void;
}

type BlockDecoder = (view: DataView, at: number, out: Float32Array, to: number) => void;

function plain(name: ElementType): GgufType {
  return {
    name,
    block: 1,
    rowBytes: (columns) => columns * ELEMENT_BYTES[name],
    decode: (bytes, out) => elementsToFloat32(name, bytes, out),
  };
}

function blocked(name: string, bytesPerBlock: number, decoder: BlockDecoder, block = BLOCK): GgufType {
  return {
    name,
    block,
    rowBytes: (columns) => (columns / block) * bytesPerBlock,
    decode(bytes, out) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let b = 0; b * block < out.length; b++) decoder(view, b * bytesPerBlock, out, b * block);
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

/** fp16 d, 32 bits with the fifth bit of every code, 16 bytes as in Q4_0; d * (q - 16). */
const q50: BlockDecoder = (view, at, out, to) => {
  const d = view.getFloat16(at, true);
  const high = view.getUint32(at + 2, true);
  for (let i = 0; i < 16; i++) {
    const byte = view.getUint8(at + 6 + i);
    out[to + i] = d * (((byte & 15) | (((high >>> i) & 1) << 4)) - 16);
    out[to + 16 + i] = d * (((byte >> 4) | (((high >>> (16 + i)) & 1) << 4)) - 16);
  }
};

/** fp16 d, fp16 m, then as in Q5_0; d * q + m. */
const q51: BlockDecoder = (view, at, out, to) => {
  const d = view.getFloat16(at, true);
  const m = view.getFloat16(at + 2, true);
  const high = view.getUint32(at + 4, true);
  for (let i = 0; i < 16; i++) {
    const byte = view.getUint8(at + 8 + i);
    out[to + i] = d * ((byte & 15) | (((high >>> i) & 1) << 4)) + m;
    out[to + 16 + i] = d * ((byte >> 4) | (((high >>> (16 + i)) & 1) << 4)) + m;
  }
};

/** Levels of IQ4_NL: closer together near zero. */
const NON_LINEAR = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/** fp16 d, 16 bytes as in Q4_0; d * level[q]. */
const iq4nl: BlockDecoder = (view, at, out, to) => {
  const d = view.getFloat16(at, true);
  for (let i = 0; i < 16; i++) {
    const byte = view.getUint8(at + 2 + i);
    out[to + i] = d * NON_LINEAR[byte & 15]!;
    out[to + 16 + i] = d * NON_LINEAR[byte >> 4]!;
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
  [6, blocked('Q5_0', 22, q50)],
  [7, blocked('Q5_1', 24, q51)],
  [8, blocked('Q8_0', 34, q80)],
  [12, blocked('Q4_K', 144, q4k, K_BLOCK)],
  [13, blocked('Q5_K', 176, q5k, K_BLOCK)],
  [14, blocked('Q6_K', 210, q6k, K_BLOCK)],
  [20, blocked('IQ4_NL', 18, iq4nl)],
  [30, plain('BF16')],
]);
