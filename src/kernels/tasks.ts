/**
 * The kernels that threads share, each cut into pieces. A piece computes outputs that no other piece computes, and never a part
 * of a sum, so the bits are those of one thread.
 */
import type { Kernels } from './kernels.ts';

/** Matrix products, by the type of their weights: pieces are ranges of outputs. */
export const F32 = 0;
export const INT4 = 1;
export const INT8 = 2;
export type ProductKind = typeof F32 | typeof INT4 | typeof INT8;
/** Attention over pages of int8 or int16: pieces are ranges of K and V heads, and of rows. */
export const ATTENTION = 3;
export const ATTENTION_I16 = 4;
export type AttentionKind = typeof ATTENTION | typeof ATTENTION_I16;
/** Activations to records: pieces are ranges of rows. */
export const QUANTIZE = 5;
export const NORM = 6;
export const SWIGLU = 7;
/** One row of logits to a prediction: one piece. */
export const PREDICT = 8;

/** Words of a task: the number of its first piece, the size of a piece, its kind, and the arguments of its kernel. */
export const FIELDS = 16;
export const FIRST_PIECE = 0;
export const SPAN = 1;
export const KIND = 2;
export const ARGUMENTS = 3;

/**
 * Computes one piece of the task at word `at`. The arguments are those of the kernel, in its order, up to the scratch; those of
 * attention are followed by the heads of a piece.
 * @param floats the same words: some arguments are f32
 * @param scratch address of memory of this thread alone, as the workspace plans it
 */
export function computePiece(
  kernels: Kernels,
  words: Int32Array,
  floats: Float32Array,
  at: number,
  piece: number,
  scratch: number,
): void {
  const kind = words[at + KIND]!;
  const span = words[at + SPAN]!;
  const index = piece - words[at + FIRST_PIECE]!;
  const arg = (i: number) => words[at + ARGUMENTS + i]!;
  const float = (i: number) => floats[at + ARGUMENTS + i]!;
  const from = index * span;
  const to = (all: number) => Math.min(from + span, all);
  switch (kind) {
    case ATTENTION:
    case ATTENTION_I16: {
      const [rows, heads, kvHeads, d, together] = [arg(6), arg(7), arg(8), arg(9), arg(11)];
      const tiles = Math.ceil(rows / span);
      const head = Math.floor(index / tiles) * together;
      const row = (index % tiles) * span;
      const attention = kind === ATTENTION ? kernels.attention : kernels.attention_i16;
      attention(
        arg(0) + row * heads * d * 4,
        arg(1) + row * arg(2) * 4,
        arg(2),
        arg(3) + row * 4,
        arg(4),
        arg(5),
        Math.min(span, rows - row),
        heads,
        kvHeads,
        d,
        arg(10),
        scratch,
        head,
        Math.min(head + together, kvHeads),
      );
      return;
    }
    case QUANTIZE:
      kernels.quantize(arg(0), arg(1), arg(2), arg(3), arg(4), arg(5), from, to(arg(2)));
      return;
    case NORM:
      kernels.rms_norm_quantize(arg(0), arg(1), arg(2), arg(3), arg(4), float(5), arg(6), arg(7), from, to(arg(3)));
      return;
    case SWIGLU:
      kernels.swiglu_quantize(arg(0), arg(1), arg(2), arg(3), arg(4), arg(5), from, to(arg(2)));
      return;
    case PREDICT:
      kernels.head_predict(arg(0), arg(1), arg(2), arg(3), float(4), arg(5), float(6), float(7), arg(8), 0, 0);
      return;
    default: {
      const k = arg(8);
      // The layouts keep rows of weights in order, panel by panel.
      const rowBytes = kind === F32 ? k * 4 : kind === INT4 ? k / 2 : k;
      multiply(
        kernels,
        kind,
        arg(0) + from * 4,
        arg(1),
        arg(2),
        arg(3),
        arg(4) + from * rowBytes,
        arg(5) + (from * k) / 16,
        arg(6),
        to(arg(7)) - from,
        k,
        arg(9),
        scratch,
      );
    }
  }
}

export function multiply(
  kernels: Kernels,
  kind: number,
  y: number,
  ldy: number,
  accumulate: number,
  x: number,
  w: number,
  scales: number,
  rows: number,
  n: number,
  k: number,
  limbs: number,
  scratch: number,
): void {
  if (kind === INT4) kernels.gemm_q8_q4(y, ldy, accumulate, x, w, scales, rows, n, k, limbs, scratch);
  else if (kind === INT8) kernels.gemm_q8_q8(y, ldy, accumulate, x, w, scales, rows, n, k, limbs);
  else kernels.gemm_f32(y, ldy, accumulate, x, w, rows, n, k);
}
