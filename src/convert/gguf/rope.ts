/** Reads the rotary embedding from a GGUF file, as llama.cpp does (`llama_context` and `ggml_rope_ext`). */
import type { ModelConfig } from '../../model/config.ts';
import { ConversionError, DEFAULT_ROPE_THETA } from '../checkpoint.ts';
import { yarnMagnitude } from '../semantics/yarn.ts';
import { type Metadata, numberOf, shortest } from './metadata.ts';

/** Tensor of what each frequency is divided by (Llama 3). */
export const ROPE_FACTORS = 'rope_freqs.weight';

/** What would change the arithmetic, and the values that do not. */
const NEUTRAL: Readonly<Record<string, readonly number[]>> = {
  'rope.scaling.alpha': [],
  'rope.scaling.attn_factor': [1],
  'rope.scaling.yarn_attn_factor': [1],
  'rope.scaling.yarn_log_multiplier': [0],
  // -1: as the type says.
  'rope.scaling.yarn_ext_factor': [1, -1],
};

/**
 * @param name of the architecture, which the keys begin with
 * @param factors of `rope_freqs.weight`; undefined if it is missing
 * @throws ConversionError naming the key or tensor that is not supported
 */
export function readGgufRope(
  metadata: Metadata,
  name: string,
  headDim: number,
  contextLength: number,
  factors: Float32Array | undefined,
): Pick<ModelConfig, 'ropeTheta' | 'ropeScaling'> {
  const theta = numberOf(metadata, `${name}.rope.freq_base`);
  const scaled = scalingOf(metadata, name, contextLength);
  const ofTensor = factorsOf(factors, headDim);
  if (scaled !== null && ofTensor !== null) {
    throw new ConversionError(`${ROPE_FACTORS} and ${name}.rope.scaling.type ${scaled.type}: only one can be followed`);
  }
  return { ropeTheta: theta === undefined ? DEFAULT_ROPE_THETA : shortest(theta), ropeScaling: scaled ?? ofTensor };
}

function scalingOf(metadata: Metadata, name: string, contextLength: number): ModelConfig['ropeScaling'] {
  const key = (end: string) => `${name}.rope.scaling.${end}`;
  const type = metadata[key('type')] ?? 'linear';
  if (type === 'none') return null;
  if (type !== 'linear' && type !== 'yarn') {
    throw new ConversionError(
      `GGUF metadata: ${key('type')} is ${String(type)}, not supported: RoPE scales by linear or yarn here`,
    );
  }
  // `scale_linear` is the key of the first versions. 0 stands for no scaling.
  const factor = shortest(numberOf(metadata, key('factor')) ?? numberOf(metadata, `${name}.rope.scale_linear`) ?? 0);
  if (type === 'linear') return factor === 0 || factor === 1 ? null : { type, factor };
  refuseUnlessNeutral(metadata, name);
  const scale = factor === 0 ? 1 : factor;
  return {
    type,
    factor: scale,
    originalContext: numberOf(metadata, key('original_context_length')) ?? contextLength,
    betaFast: numberOf(metadata, key('yarn_beta_fast')) ?? 32,
    betaSlow: numberOf(metadata, key('yarn_beta_slow')) ?? 1,
    truncate: true,
    attentionFactor: yarnMagnitude(scale, 1),
  };
}

function refuseUnlessNeutral(metadata: Metadata, name: string): void {
  for (const [end, neutral] of Object.entries(NEUTRAL)) {
    const value = numberOf(metadata, `${name}.${end}`);
    if (value === undefined || neutral.includes(value)) continue;
    throw new ConversionError(
      `GGUF metadata: ${name}.${end} is ${shortest(value)}, not supported: YaRN would have to follow it`,
    );
  }
}

function factorsOf(factors: Float32Array | undefined, headDim: number): ModelConfig['ropeScaling'] {
  if (factors === undefined || factors.every((factor) => factor === 1)) return null;
  if (factors.length !== headDim / 2 || !factors.every((factor) => factor > 0 && Number.isFinite(factor))) {
    throw new ConversionError(
      `${ROPE_FACTORS} is neither 1 everywhere nor ${headDim / 2} factors above 0, one for each pair of a head`,
    );
  }
  return { type: 'factors', factors: Array.from(factors) };
}
