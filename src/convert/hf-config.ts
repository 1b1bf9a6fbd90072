/** A Hugging Face config.json, and the refusals: what the forward pass would get wrong without a word. */
import { z } from 'zod';
import { type Family, familyOf } from './architectures.ts';
import { ConversionError, type DecoderConfig, type Semantics } from './checkpoint.ts';
import { checkJson } from './json-file.ts';

const tokenId = z.int().nonnegative();
const ids = z.union([tokenId.transform((id) => [id]), z.array(tokenId)]);
const ropeSchema = z.looseObject({
  rope_type: z.string().optional(),
  type: z.string().optional(),
  rope_theta: z.number().optional(),
});

const configSchema = z.looseObject({
  architectures: z.array(z.string()),
  hidden_size: z.int().positive(),
  intermediate_size: z.int().positive(),
  num_hidden_layers: z.int().positive(),
  num_attention_heads: z.int().positive(),
  num_key_value_heads: z.int().positive().nullish(),
  head_dim: z.int().positive().nullish(),
  vocab_size: z.int().positive(),
  max_position_embeddings: z.int().positive(),
  rms_norm_eps: z.number().positive(),
  rope_theta: z.number().positive().nullish(),
  rope_parameters: ropeSchema.nullish(),
  rope_scaling: ropeSchema.nullish(),
  hidden_act: z.string().default('silu'),
  mask_token_id: tokenId.nullish(),
  eos_token_id: ids.nullish(),
  bos_token_id: tokenId.nullish(),
  seedling: z
    .strictObject({
      logit_shift: z.boolean().optional(),
      context_attention: z.enum(['causal', 'block_causal']).optional(),
      block_length: z.int().positive().optional(),
      start_token_id: tokenId.optional(),
    })
    .optional(),
});
type HfConfig = z.infer<typeof configSchema>;

export interface ParsedConfig {
  readonly decoder: DecoderConfig;
  readonly semantics: Semantics;
  readonly bosTokenId: number | undefined;
}

/** @throws ConversionError naming the field that is missing, malformed or not supported. */
export function parseHfConfig(json: unknown): ParsedConfig {
  const config = checkJson(json, 'config.json', configSchema);
  const family = familyOf(config.architectures);
  refuseUnsupported(config);
  return {
    decoder: decoderOf(config, family),
    semantics: semanticsOf(config, family),
    bosTokenId: config.bos_token_id ?? undefined,
  };
}

function decoderOf(config: HfConfig, { architecture }: Family): DecoderConfig {
  const headDim = config.head_dim ?? config.hidden_size / config.num_attention_heads;
  if (!Number.isInteger(headDim)) {
    throw new ConversionError(
      'config.json: hidden_size is not a multiple of num_attention_heads and head_dim is missing',
    );
  }
  const ropeTheta = config.rope_theta ?? config.rope_parameters?.rope_theta;
  if (ropeTheta === undefined) throw new ConversionError('config.json: rope_theta is missing');
  return {
    architecture,
    hiddenSize: config.hidden_size,
    intermediateSize: config.intermediate_size,
    numLayers: config.num_hidden_layers,
    numHeads: config.num_attention_heads,
    numKvHeads: config.num_key_value_heads ?? config.num_attention_heads,
    headDim,
    vocabSize: config.vocab_size,
    contextLength: config.max_position_embeddings,
    rmsNormEps: config.rms_norm_eps,
    ropeTheta,
    qkvBias: architecture === 'qwen2',
    qkNorm: architecture === 'qwen3',
  };
}

function semanticsOf(config: HfConfig, family: Family): Semantics {
  const recorded = config.seedling ?? {};
  return {
    logitShift: recorded.logit_shift ?? family.semantics.logitShift,
    contextAttention: recorded.context_attention ?? family.semantics.contextAttention,
    blockLength: recorded.block_length ?? family.semantics.blockLength,
    maskTokenId: config.mask_token_id ?? undefined,
    eosTokenIds: config.eos_token_id ?? undefined,
    startTokenId: recorded.start_token_id,
  };
}

function refuseUnsupported(config: HfConfig): void {
  const refuse = (field: string, needed: string) => {
    throw new ConversionError(`config.json: ${field} is ${JSON.stringify(config[field])}, not supported: ${needed}`);
  };
  for (const field of ['rope_scaling', 'rope_parameters'] as const) {
    const type = config[field]?.rope_type ?? config[field]?.type ?? 'default';
    if (type !== 'default') refuse(field, 'RoPE would have to scale its frequencies');
  }
  if ((config.partial_rotary_factor ?? 1) !== 1)
    refuse('partial_rotary_factor', 'RoPE would have to turn part of a head');
  const window = config.sliding_window ?? null;
  if (config.use_sliding_window ?? window !== null) {
    refuse(window === null ? 'use_sliding_window' : 'sliding_window', 'attention would have to drop old positions');
  }
  const types = config.layer_types;
  if (Array.isArray(types) && types.some((type) => type !== 'full_attention')) {
    refuse('layer_types', 'every layer must be full_attention');
  }
  for (const field of ['num_experts', 'num_local_experts', 'n_routed_experts', 'moe_intermediate_size']) {
    if (config[field]) refuse(field, 'a mixture of experts needs a router and its own MLP');
  }
  if (config.attention_bias === true) refuse('attention_bias', 'o_proj would need a bias');
  if (config.mlp_bias === true) refuse('mlp_bias', 'the MLP would need biases');
  if (config.hidden_act !== 'silu') refuse('hidden_act', 'the MLP computes SwiGLU (silu)');
  if (config.quantization_config) refuse('quantization_config', 'give the unquantized checkpoint');
}
