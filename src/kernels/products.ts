/** The matrix products of a forward. One thread and several threads give the same bits. */
import type { Kernels } from './kernels.ts';

/** Type of the weights: which kernel multiplies them. */
export const F32 = 0;
export const INT4 = 1;
export const INT8 = 2;
export type ProductKind = typeof F32 | typeof INT4 | typeof INT8;

export interface Products {
  /**
   * y (rows, ldy) = or += x W^T, at the latest when `finish` returns. A product must not read the output of another one
   * added since the last `finish`.
   * @param x address of floats for F32, else of records (`wasm/activations.ts`)
   * @param n outputs, rows of the weights
   */
  add(
    kind: ProductKind,
    y: number,
    ldy: number,
    accumulate: 0 | 1,
    x: number,
    w: number,
    scales: number,
    rows: number,
    n: number,
    k: number,
    limbs: 1 | 2,
  ): void;
  finish(): void;
}

/** Each product at once, on this thread. */
export class DirectProducts implements Products {
  readonly #kernels: Kernels;
  readonly #panel: number;

  /** @param panel address of 13 K bytes of scratch, K the longest row of weights */
  constructor(kernels: Kernels, panel: number) {
    this.#kernels = kernels;
    this.#panel = panel;
  }

  add(
    kind: ProductKind,
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
  ): void {
    multiply(this.#kernels, kind, y, ldy, accumulate, x, w, scales, rows, n, k, limbs, this.#panel);
  }

  finish(): void {}
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
  panel: number,
): void {
  if (kind === INT4) kernels.gemm_q8_q4(y, ldy, accumulate, x, w, scales, rows, n, k, limbs, panel);
  else if (kind === INT8) kernels.gemm_q8_q8(y, ldy, accumulate, x, w, scales, rows, n, k, limbs);
  else kernels.gemm_f32(y, ldy, accumulate, x, w, rows, n, k);
}
