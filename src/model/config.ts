/**
 * What a checkpoint fixes, as data: shapes of the decoder and semantics of its diffusion.
 * Nothing outside the converter may branch on a model's name or family.
 */
import { z } from 'zod';

const positive = z.int().positive();
const tokenId = z.int().nonnegative();

export const modelConfigSchema = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/),
  /** The decoder family, for people; the arithmetic follows the flags below. */
  architecture: z.enum(['llama', 'qwen2', 'qwen3']),
  hiddenSize: positive,
  intermediateSize: positive,
  numLayers: positive,
  numHeads: positive,
  numKvHeads: positive,
  headDim: positive,
  vocabSize: positive,
  /** Longest sequence the model was trained for, in tokens. */
  contextLength: positive,
  rmsNormEps: z.number().positive(),
  ropeTheta: z.number().positive(),
  /** The LM head is the embedding matrix. */
  tieWordEmbeddings: z.boolean(),
  /** Qwen2: bias on q, k and v. */
  qkvBias: z.boolean(),
  /** Qwen3: RMSNorm over each head of q and k before RoPE. */
  qkNorm: z.boolean(),
  maskTokenId: tokenId,
  /** The prediction for position i is read from row i-1; the first id of a block comes from the commit before it. */
  logitShift: z.boolean(),
  /** How committed tokens attend: `causal`, or `block_causal` (bidirectional within their own block). */
  contextAttention: z.enum(['causal', 'block_causal']),
  /** Block length that training used most, in tokens: the default at inference. */
  blockLength: positive,
  eosTokenIds: z.array(tokenId).min(1),
  /** Committed first when a prompt is empty: something has to predict the first id. */
  startTokenId: tokenId,
  /**
   * Around a hole: `prefix` P `suffix` S `middle` and then the hole's content, ended by `end` or an EOS. Null: the model was
   * not trained to fill holes.
   */
  infill: z
    .strictObject({ prefix: tokenId, suffix: tokenId, middle: tokenId, end: tokenId.nullable() })
    .nullable()
    .default(null),
  /** How messages become a prompt: Jinja, as Hugging Face's `apply_chat_template` renders it. Absent: the model does not chat. */
  chatTemplate: z
    .strictObject({
      template: z.string().min(1),
      /** What `bos_token` and `eos_token` stand for in it. */
      bosToken: z.string(),
      eosToken: z.string(),
    })
    .optional(),
});

export type InfillTokens = NonNullable<ModelConfig['infill']>;

export type ModelConfig = Readonly<z.infer<typeof modelConfigSchema>>;

export function parseModelConfig(json: unknown): ModelConfig {
  const config = modelConfigSchema.parse(json);
  if (config.numHeads % config.numKvHeads !== 0) {
    throw new Error(`numHeads ${config.numHeads} is not a multiple of numKvHeads ${config.numKvHeads}`);
  }
  if (config.headDim % 2 !== 0) throw new Error(`headDim ${config.headDim} is odd; RoPE rotates pairs`);
  for (const [field, id] of [
    ['maskTokenId', config.maskTokenId],
    ['startTokenId', config.startTokenId],
    ...config.eosTokenIds.map((id) => ['eosTokenIds', id] as const),
    ...Object.values(config.infill ?? {}).map((id) => ['infill', id ?? 0] as const),
  ] as const) {
    if (id >= config.vocabSize) throw new Error(`${field} ${id} is outside the vocabulary of ${config.vocabSize}`);
  }
  return config;
}

/** Whether a committed token predicts the next one: then one forward commits drafts and checks them. */
export function predictsNext({
  contextAttention,
  logitShift,
}: Pick<ModelConfig, 'contextAttention' | 'logitShift'>): boolean {
  return contextAttention === 'causal' && logitShift;
}
