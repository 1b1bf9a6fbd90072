/** Reads a Hugging Face config.json, and refuses every feature that the forward pass would silently get wrong. */
import { z } from 'zod';
import { ConversionError, type DecoderConfig, type FamilyMask, type Semantics } from '../checkpoint.ts';
import { checkJson } from '../json-file.ts';
import { type Family, type FamilyHints, familyOf, namedBlockLength } from '../semantics/architectures.ts';
import { readRope, ropeFields } from './rope.ts';

/** Larger than of any model: what is computed from wrong sizes would not end. */
const MOST_LAYERS = 1024;
const MOST_UNITS = 1 << 22;
const units = z.int().positive().max(MOST_UNITS);
const tokenId = z.int().nonnegative();
const ids = z.union([tokenId.transform((id) => [id]), z.array(tokenId)]);
const configSchema = z.looseObject({
  architectures: z.array(z.string()),
  hidden_size: units,
  intermediate_size: units,
  num_hidden_layers: z.int().positive().max(MOST_LAYERS),
  num_attention_heads: units,
  num_key_value_heads: units.nullish(),
  head_dim: units.nullish(),
  vocab_size: units,
  rms_norm_eps: z.number().positive(),
  ...ropeFields,
  hidden_act: z.string().default('silu'),
  mask_token_id: tokenId.nullish(),
  eos_token_id: ids.nullish(),
  bos_token_id: tokenId.nullish(),
  /** SDAR; Fast-dLLM v2. */
  block_size: z.int().positive().nullish(),
  bd_size: z.int().positive().nullish(),
  seedling: z
    .strictObject({
      logit_shift: z.boolean().optional(),
      context_attention: z.enum(['causal', 'block_causal', 'full']).optional(),
      grid: z.enum(['zero', 'prompt_end']).optional(),
      block_length: z.int().positive().optional(),
      sub_block_length: z.int().positive().nullable().optional(),
      first_token: z.enum(['denoise', 'from_commit']).optional(),
      stop_rule: z.enum(['no_mask_before', 'after_block', 'none']).optional(),
      infill_order: z.enum(['prefix_first', 'suffix_first']).optional(),
      start_token_id: tokenId.optional(),
    })
    .optional(),
});
type HfConfig = z.infer<typeof configSchema>;

export interface ParsedConfig {
  readonly decoder: DecoderConfig;
  readonly semantics: Semantics;
  readonly bosTokenId: number | undefined;
  readonly family: Family;
  readonly familyMask: FamilyMask | undefined;
  readonly architectures: readonly string[];
  /** The files themselves say how this model attends and shifts. */
  readonly recorded: boolean;
}

/** @throws ConversionError naming the field that is missing, malformed or not supported. */
export function parseHfConfig(json: unknown, hints: FamilyHints = { sourceName: '' }): ParsedConfig {
  const config = checkJson(json, 'config.json', configSchema);
  const { architectures } = config;
  const family = familyOf(architectures, hints);
  const architecture = family.architectures[architectures[0]!]!;
  refuseUnsupported(config, architecture);
  return {
    decoder: decoderOf(config, architecture),
    semantics: semanticsOf(config, family, hints.sourceName),
    bosTokenId: config.bos_token_id ?? undefined,
    family,
    familyMask: family.mask && { token: family.mask.token, id: family.mask.id?.[architecture] },
    architectures,
    recorded: config.seedling !== undefined,
  };
}

function decoderOf(config: HfConfig, architecture: DecoderConfig['architecture']): DecoderConfig {
  const headDim = config.head_dim ?? config.hidden_size / config.num_attention_heads;
  if (!Number.isInteger(headDim)) {
    throw new ConversionError(
      'config.json: hidden_size is not a multiple of num_attention_heads and head_dim is missing',
    );
  }
  return {
    architecture,
    hiddenSize: config.hidden_size,
    intermediateSize: config.intermediate_size,
    numLayers: config.num_hidden_layers,
    numHeads: config.num_attention_heads,
    numKvHeads: config.num_key_value_heads ?? config.num_attention_heads,
    headDim,
    vocabSize: config.vocab_size,
    rmsNormEps: config.rms_norm_eps,
    ...readRope(config),
    qkvBias: architecture === 'qwen2',
    qkNorm: architecture === 'qwen3',
  };
}

function semanticsOf(config: HfConfig, family: Family, sourceName: string): Semantics {
  const recorded = config.seedling ?? {};
  const { semantics } = family;
  const blockLength = recorded.block_length ?? config.block_size ?? config.bd_size;
  return {
    logitShift: recorded.logit_shift ?? semantics.logitShift,
    contextAttention: recorded.context_attention ?? semantics.contextAttention,
    grid: recorded.grid ?? semantics.grid,
    blockLength: blockLength ?? namedBlockLength(family, sourceName) ?? semantics.blockLength,
    subBlockLength: recorded.sub_block_length ?? semantics.subBlockLength,
    firstToken: recorded.first_token ?? semantics.firstToken,
    stopRule: recorded.stop_rule ?? semantics.stopRule,
    infillOrder: recorded.infill_order ?? semantics.infillOrder,
    decoding: semantics.decoding,
    maskTokenId: config.mask_token_id ?? undefined,
    eosTokenIds: config.eos_token_id ?? undefined,
    startTokenId: recorded.start_token_id,
  };
}

function refuseUnsupported(config: HfConfig, architecture: DecoderConfig['architecture']): void {
  const refuse = (field: string, needed: string) => {
    throw new ConversionError(`config.json: ${field} is ${JSON.stringify(config[field])}, not supported: ${needed}`);
  };
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
  // Qwen2 has its biases on q, k and v whatever this says.
  if (config.attention_bias === true && architecture !== 'qwen2') {
    refuse('attention_bias', 'q, k, v and o_proj would need biases');
  }
  if (config.mlp_bias === true) refuse('mlp_bias', 'the MLP would need biases');
  for (const field of ['attn_logit_softcapping', 'final_logit_softcapping']) {
    if (config[field]) refuse(field, 'logits would have to be capped');
  }
  if (config.hidden_act !== 'silu') refuse('hidden_act', 'the MLP computes SwiGLU (silu)');
  if (config.quantization_config) refuse('quantization_config', 'give the unquantized checkpoint');
}
