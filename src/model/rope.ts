/** Angles of the rotary embedding, with the scaling that a checkpoint was stretched by. */
import type { ModelConfig } from './config.ts';

type Rope = Pick<ModelConfig, 'headDim' | 'ropeTheta' | 'ropeScaling'>;
type Scaling<Type> = Extract<NonNullable<ModelConfig['ropeScaling']>, { type: Type }>;

/** Radians that each pair of a head turns by from one position to the next. (d/2) */
export function ropeFrequencies({ headDim, ropeTheta, ropeScaling }: Rope): Float64Array {
  const half = headDim / 2;
  const plain = Float64Array.from({ length: half }, (_, i) => ropeTheta ** (-i / half));
  switch (ropeScaling?.type) {
    case undefined:
      return plain;
    case 'linear':
      return plain.map((frequency) => frequency / ropeScaling.factor);
    case 'factors':
      return plain.map((frequency, i) => frequency / ropeScaling.factors[i]!);
    case 'llama3':
      return plain.map((frequency) => llama3(frequency, ropeScaling));
    case 'yarn':
      return yarn(plain, headDim, ropeTheta, ropeScaling);
  }
}

/** Cosines and sines are multiplied by it. */
export function ropeMagnitude({ ropeScaling }: Pick<ModelConfig, 'ropeScaling'>): number {
  return ropeScaling?.type === 'yarn' ? ropeScaling.attentionFactor : 1;
}

/** Slow pairs are divided by the factor, fast ones stay, and those between are mixed (Llama 3.1, `apply_scaling`). */
function llama3(frequency: number, { factor, lowFreqFactor, highFreqFactor, originalContext }: Scaling<'llama3'>) {
  const turns = (originalContext * frequency) / (2 * Math.PI); // within the original context
  if (turns > highFreqFactor) return frequency;
  if (turns < lowFreqFactor) return frequency / factor;
  const fast = (turns - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
  return fast * frequency + ((1 - fast) * frequency) / factor;
}

/** "NTK-by-parts" of YaRN (arXiv 2309.00071, section 3.2), with the bounds of transformers' `_compute_yarn_parameters`. */
function yarn(plain: Float64Array, headDim: number, theta: number, scaling: Scaling<'yarn'>): Float64Array {
  const { factor, originalContext, betaFast, betaSlow, truncate } = scaling;
  // The pair, counted in columns, that turns so many times within the original context.
  const pairOf = (turns: number) =>
    (headDim * Math.log(originalContext / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const bound = (round: (x: number) => number, turns: number) => (truncate ? round(pairOf(turns)) : pairOf(turns));
  const low = Math.max(bound(Math.floor, betaFast), 0);
  const high = Math.min(bound(Math.ceil, betaSlow), headDim - 1);
  const width = high === low ? 0.001 : high - low;
  return plain.map((frequency, i) => {
    const slow = Math.min(1, Math.max(0, (i - low) / width));
    return (slow * frequency) / factor + (1 - slow) * frequency;
  });
}
