/** Relative RMS error by class of tensor. It shows what quantization costs before any model runs. */
import type { TensorType } from '../../model/manifest.ts';
import type { SquaredSums } from './quantize.ts';

export interface ClassError {
  /** `q_proj`, `embed_tokens`, ...: the module's name without its layer. */
  readonly name: string;
  readonly type: TensorType;
  readonly weights: number;
  /** sqrt(sum of squared errors / sum of squared weights). */
  readonly relativeRms: number;
}

export class ErrorReport {
  readonly #classes = new Map<string, SquaredSums & { type: TensorType; weights: number }>();

  add(tensor: string, type: TensorType, weights: number, sums: SquaredSums): void {
    const name = tensor.split('.').at(-2) ?? tensor;
    const total = this.#classes.get(`${name} ${type}`) ?? { error: 0, norm: 0, type, weights: 0 };
    total.error += sums.error;
    total.norm += sums.norm;
    total.weights += weights;
    this.#classes.set(`${name} ${type}`, total);
  }

  classes(): ClassError[] {
    return [...this.#classes].map(([key, { error, norm, type, weights }]) => {
      return { name: key.split(' ')[0]!, type, weights, relativeRms: norm === 0 ? 0 : Math.sqrt(error / norm) };
    });
  }
}
