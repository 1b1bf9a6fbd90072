/** Reads the rotary embedding from a Hugging Face config.json, as transformers' `modeling_rope_utils.py` does. */
import { z } from 'zod';
import { ConversionError, DEFAULT_ROPE_THETA, type DecoderConfig } from '../checkpoint.ts';
import { yarnMagnitude } from '../semantics/yarn.ts';

const positive = z.number().positive();
const tokens = z.int().positive();

/** `rope_scaling` until transformers 4, `rope_parameters` since 5. */
const parametersSchema = z.looseObject({
  rope_type: z.string().optional(),
  type: z.string().optional(),
  rope_theta: positive.nullish(),
  partial_rotary_factor: z.number().nullish(),
  factor: positive.nullish(),
  original_max_position_embeddings: tokens.nullish(),
  low_freq_factor: positive.nullish(),
  high_freq_factor: positive.nullish(),
  attention_factor: positive.nullish(),
  beta_fast: z.number().nonnegative().nullish(),
  beta_slow: z.number().nonnegative().nullish(),
  mscale: z.number().nullish(),
  mscale_all_dim: z.number().nullish(),
  truncate: z.boolean().nullish(),
});
type Parameters = z.infer<typeof parametersSchema>;

export const ropeFields = {
  max_position_embeddings: tokens,
  rope_theta: positive.nullish(),
  rope_parameters: parametersSchema.nullish(),
  rope_scaling: parametersSchema.nullish(),
  /** Beside the parameters it goes before theirs. */
  original_max_position_embeddings: tokens.nullish(),
  partial_rotary_factor: z.number().nullish(),
};
const fieldsSchema = z.object(ropeFields);
type RopeFields = z.infer<typeof fieldsSchema>;

/** @throws ConversionError naming the field that is missing or not supported */
export function readRope(config: RopeFields): Pick<DecoderConfig, 'ropeTheta' | 'ropeScaling' | 'contextLength'> {
  // An object without entries counts as none.
  const field = Object.keys(config.rope_scaling ?? {}).length > 0 ? 'rope_scaling' : 'rope_parameters';
  const parameters = config[field] ?? {};
  refuseParts(config, field);
  const ropeScaling = scalingOf(parameters, config, field);
  return {
    ropeTheta: parameters.rope_theta ?? config.rope_theta ?? DEFAULT_ROPE_THETA,
    ropeScaling,
    contextLength: contextOf(ropeScaling, config.max_position_embeddings),
  };
}

/** YaRN is often switched on in config.json alone. Then `max_position_embeddings` is still that of the training. */
function contextOf(scaling: DecoderConfig['ropeScaling'], positions: number): number {
  return scaling?.type === 'yarn'
    ? Math.max(positions, Math.floor(scaling.factor * scaling.originalContext))
    : positions;
}

function scalingOf(parameters: Parameters, config: RopeFields, field: string): DecoderConfig['ropeScaling'] {
  const type = parameters.rope_type ?? parameters.type ?? 'default';
  const required = (name: 'factor' | 'low_freq_factor' | 'high_freq_factor') => {
    const value = parameters[name];
    if (value) return value;
    throw new ConversionError(`config.json: ${field} of type ${type} has no ${name}`);
  };
  const originalContext =
    config.original_max_position_embeddings ??
    parameters.original_max_position_embeddings ??
    config.max_position_embeddings;
  switch (type) {
    case 'default':
      return null;
    case 'linear':
      return { type, factor: required('factor') };
    case 'llama3': {
      const [lowFreqFactor, highFreqFactor] = [required('low_freq_factor'), required('high_freq_factor')];
      return { type, factor: required('factor'), lowFreqFactor, highFreqFactor, originalContext };
    }
    case 'yarn': {
      const factor = parameters.factor === null ? config.max_position_embeddings / originalContext : required('factor');
      const { mscale, mscale_all_dim, attention_factor, beta_fast, beta_slow, truncate } = parameters;
      return {
        type,
        factor,
        originalContext,
        betaFast: beta_fast || 32,
        betaSlow: beta_slow || 1,
        truncate: truncate === undefined ? true : Boolean(truncate),
        attentionFactor: attention_factor ?? inferredMagnitude(factor, mscale, mscale_all_dim),
      };
    }
    default:
      throw new ConversionError(
        `config.json: ${field} is of type ${type}, not supported: RoPE scales by linear, llama3 or yarn here`,
      );
  }
}

function inferredMagnitude(factor: number, mscale: number | null | undefined, all: number | null | undefined): number {
  if (mscale && all) return yarnMagnitude(factor, mscale) / yarnMagnitude(factor, all);
  return yarnMagnitude(factor, 1);
}

function refuseParts(config: RopeFields, field: 'rope_scaling' | 'rope_parameters'): void {
  const parameters = config[field];
  for (const [name, value] of [
    ['partial_rotary_factor', config.partial_rotary_factor],
    [`${field}.partial_rotary_factor`, parameters?.partial_rotary_factor],
  ] as const) {
    if ((value ?? 1) === 1) continue;
    throw new ConversionError(
      `config.json: ${name} is ${value}, not supported: RoPE would have to turn part of a head`,
    );
  }
  const nested = ['full_attention', 'sliding_attention'].find((name) => parameters && name in parameters);
  if (nested === undefined) return;
  throw new ConversionError(
    `config.json: ${field} is by kind of layer (${nested}), not supported: every layer has the same RoPE here`,
  );
}
