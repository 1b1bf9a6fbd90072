/** Linear layers on the kernels: the input is normed and rounded once, then multiplied by each matrix that reads it. */
import type { Kernels } from '../kernels/kernels.ts';
import { F32, INT4, INT8, type ProductKind } from '../kernels/tasks.ts';
import type { Work } from '../kernels/work.ts';
import type { ModelConfig } from './config.ts';
import type { Tensor } from './weights.ts';
import type { Workspace } from './workspace.ts';

/**
 * Rounding of the input of a quantized layer: one int8 row, or two rows that carry 15 bits together, at about twice the
 * multiplications. K and V follow (`KvNumbers`).
 */
export type Activations = 'int8' | 'int16';

export class Linear {
  readonly #config: ModelConfig;
  readonly #kernels: Kernels;
  readonly #at: Workspace;
  readonly #work: Work;
  readonly #limbs: 1 | 2;

  constructor(config: ModelConfig, kernels: Kernels, workspace: Workspace, work: Work, activations: Activations) {
    this.#config = config;
    this.#kernels = kernels;
    this.#at = workspace;
    this.#work = work;
    this.#limbs = limbsOf(activations);
  }

  /** RMSNorm of x (rows, hidden) as input of the `multiply` calls that follow: records, or floats in `normed`. */
  norm(x: number, weight: number, rows: number, reader: Tensor): void {
    const { hiddenSize, rmsNormEps } = this.#config;
    const { normed, q8 } = this.#at;
    if (reader.type === 'f32') this.#kernels.rms_norm(normed, x, weight, rows, hiddenSize, rmsNormEps);
    else this.#work.normAndQuantize(q8, x, weight, rows, hiddenSize, rmsNormEps, this.#limbs, words(reader));
  }

  /** x (rows, K) as input of the `multiply` calls that follow. Weights in f32 read x itself. */
  quantize(x: number, rows: number, k: number, reader: Tensor): void {
    if (reader.type !== 'f32') this.#work.quantize(this.#at.q8, x, rows, k, this.#limbs, words(reader));
  }

  /** SwiGLU of `gateUp` (rows, 2 n) as input of the `multiply` calls that follow: records, or floats in `act`. */
  swiglu(rows: number, n: number, reader: Tensor): void {
    const { act, gateUp, q8 } = this.#at;
    if (reader.type === 'f32') this.#kernels.swiglu(act, gateUp, rows, n);
    else this.#work.swigluAndQuantize(q8, gateUp, rows, n, this.#limbs, words(reader));
  }

  /**
   * y (rows, ldy) = or += x W^T, done once `finish` has returned.
   * @param x input of f32 weights; quantized weights read the records that `norm`, `quantize` or `swiglu` left
   */
  multiply(y: number, ldy: number, accumulate: 0 | 1, x: number, w: Tensor, rows: number): void {
    const kind = productKind(w);
    const input = w.type === 'f32' ? x : this.#at.q8;
    for (const { from, to, data, scales } of w.parts) {
      this.#work.add(kind, y + from * 4, ldy, accumulate, input, data, scales, rows, to - from, w.k, this.#limbs);
    }
  }

  finish(): void {
    this.#work.finish();
  }
}

/** int8 rows of one row of activations. */
export function limbsOf(activations: Activations): 1 | 2 {
  return activations === 'int8' ? 1 : 2;
}

export function productKind({ type }: Tensor): ProductKind {
  return type === 'int4' ? INT4 : type === 'int8' ? INT8 : F32;
}

/** Which encoding of the input a tensor's kernel reads: 1 for words, 0 for the one that suits int4. */
export function words(reader: Tensor): 0 | 1 {
  return reader.type === 'int8' ? 1 : 0;
}
