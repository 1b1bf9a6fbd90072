/** The parts of a forward that threads may share. One thread and several threads give the same bits. */
import type { Kernels } from './kernels.ts';
import { ATTENTION, type AttentionKind, multiply, type ProductKind } from './tasks.ts';

/** Addresses and counts are those of the kernels (`wasm/`). */
export interface Work {
  /**
   * y (rows, ldy) = or += x W^T, at the latest when `finish` returns. What is added must not read what was added since the last
   * `finish` writes. This holds for `attend` and `predict` too.
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
  /**
   * Attention of all heads, at the latest when `finish` returns.
   * @param tokens that the last row sees, or about as many: how much work it is
   */
  attend(
    kind: AttentionKind,
    out: number,
    q: number,
    ldq: number,
    visible: number,
    pages: number,
    layer: number,
    rows: number,
    heads: number,
    kvHeads: number,
    d: number,
    pageTokens: number,
    tokens: number,
  ): void;
  /** One row of logits without adjustments to a prediction, at the latest when `finish` returns. */
  predict(
    result: number,
    logits: number,
    vocab: number,
    maskId: number,
    temperature: number,
    topK: number,
    topP: number,
    uniform: number,
    target: number,
  ): void;
  finish(): void;
  /** Done when it returns. So are the next two. */
  quantize(q: number, x: number, rows: number, k: number, limbs: 1 | 2, words: 0 | 1): void;
  normAndQuantize(
    q: number,
    x: number,
    w: number,
    rows: number,
    d: number,
    eps: number,
    limbs: 1 | 2,
    words: 0 | 1,
  ): void;
  swigluAndQuantize(q: number, gateUp: number, rows: number, n: number, limbs: 1 | 2, words: 0 | 1): void;
}

/** Each kernel at once, on this thread. */
export class DirectWork implements Work {
  readonly #kernels: Kernels;
  readonly #scratch: number;

  /** @param scratch address of memory of this thread alone, as the workspace plans it */
  constructor(kernels: Kernels, scratch: number) {
    this.#kernels = kernels;
    this.#scratch = scratch;
  }

  add(...[kind, y, ldy, accumulate, x, w, scales, rows, n, k, limbs]: Parameters<Work['add']>): void {
    multiply(this.#kernels, kind, y, ldy, accumulate, x, w, scales, rows, n, k, limbs, this.#scratch);
  }

  attend(
    ...[kind, out, q, ldq, visible, pages, layer, rows, heads, kvHeads, d, pageTokens]: Parameters<Work['attend']>
  ): void {
    const attention = kind === ATTENTION ? this.#kernels.attention : this.#kernels.attention_i16;
    attention(out, q, ldq, visible, pages, layer, rows, heads, kvHeads, d, pageTokens, this.#scratch, 0, kvHeads);
  }

  predict(
    ...[result, logits, vocab, maskId, temperature, topK, topP, uniform, target]: Parameters<Work['predict']>
  ): void {
    this.#kernels.head_predict(result, logits, vocab, maskId, temperature, topK, topP, uniform, target, 0, 0);
  }

  finish(): void {}

  quantize(...[q, x, rows, k, limbs, words]: Parameters<Work['quantize']>): void {
    this.#kernels.quantize(q, x, rows, k, limbs, words, 0, rows);
  }

  normAndQuantize(...[q, x, w, rows, d, eps, limbs, words]: Parameters<Work['normAndQuantize']>): void {
    this.#kernels.rms_norm_quantize(q, x, w, rows, d, eps, limbs, words, 0, rows);
  }

  swigluAndQuantize(...[q, gateUp, rows, n, limbs, words]: Parameters<Work['swigluAndQuantize']>): void {
    this.#kernels.swiglu_quantize(q, gateUp, rows, n, limbs, words, 0, rows);
  }
}
