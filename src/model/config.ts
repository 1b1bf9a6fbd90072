/**
 * What a checkpoint fixes, as data: shapes of the decoder and semantics of its diffusion.
 * Nothing outside the converter may branch on a model's name or family.
 */
import { z } from 'zod';

const positive = z.int().positive();
const tokenId = z.int().nonnegative();

/** Positions of a block-causal block at most: they attend to each other, so one forward must hold them. */
const MAX_BLOCK = 64;

const ropeScalingSchema = z.discriminatedUnion('type', [
  /** All of them are divided by `factor`. */
  z.strictObject({ type: z.literal('linear'), factor: z.number().positive() }),
  /** Llama 3.1. A pair is slow or fast by its turns within the original context. */
  z.strictObject({
    type: z.literal('llama3'),
    factor: z.number().positive(),
    lowFreqFactor: z.number().positive(),
    highFreqFactor: z.number().positive(),
    /** In tokens. */
    originalContext: positive,
  }),
  /** YaRN (arXiv 2309.00071). */
  z.strictObject({
    type: z.literal('yarn'),
    factor: z.number().positive(),
    /** In tokens. */
    originalContext: positive,
    /** Turns within the original context from which a pair is left alone, and those from which it is divided. */
    betaFast: z.number().positive(),
    betaSlow: z.number().positive(),
    /** The bounds between them are rounded to whole pairs. */
    truncate: z.boolean(),
    /** Multiplies cosines and sines. */
    attentionFactor: z.number().positive(),
  }),
  /** The frequency of pair i is divided by entry i: what a GGUF has of Llama 3. (d/2) */
  z.strictObject({ type: z.literal('factors'), factors: z.array(z.number().positive()) }),
]);

const modelConfigSchema = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/),
  /** When the model was converted, in seconds since 1970. Absent: nobody wrote it down. */
  created: positive.optional(),
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
  /** How RoPE's frequencies, theta^(-2i/d) for pair i, are stretched for a longer context (`rope.ts`). Null: not at all. */
  ropeScaling: ropeScalingSchema.nullable().default(null),
  /** The LM head is the embedding matrix. */
  tieWordEmbeddings: z.boolean(),
  /** Qwen2: bias on q, k and v. */
  qkvBias: z.boolean(),
  /** Qwen3: RMSNorm over each head of q and k before RoPE. */
  qkNorm: z.boolean(),
  maskTokenId: tokenId,
  /** The prediction for position i is read from row i-1; the first id of a block comes from the commit before it. */
  logitShift: z.boolean(),
  /**
   * Attention of tokens outside the active block. `causal`: to the tokens before them. `block_causal`: also to all of
   * their own block. `full`: every token attends to every other. Then nothing is ever committed, and each forward runs the
   * prompt and the whole completion.
   */
  contextAttention: z.enum(['causal', 'block_causal', 'full']),
  /**
   * Where blocks begin under `block_causal`. `zero`: at multiples of their length from position 0; the end of a prompt
   * belongs to the first block that is written. `prompt_end`: counted from the prompt's end; the prompt's first block is
   * short.
   */
  grid: z.enum(['zero', 'prompt_end']).default('zero'),
  /**
   * Block length that training used most, in tokens: the default at inference. Under `block_causal` the tokens of a block
   * attend to each other. Under `full` blocks only order the decisions: a block is decided before the next one.
   */
  blockLength: positive,
  /** Parts in which a block is decided, left to right, in tokens; a divisor of the block length. Null: all at once. */
  subBlockLength: positive.nullable().default(null),
  /**
   * The first position of a block. `denoise`: forwards of the block decide it like every other (with a shift, from the
   * token before it). `from_commit`: the commit of the block before predicts it, and is a forward of its own.
   */
  firstToken: z.enum(['denoise', 'from_commit']).default('denoise'),
  /**
   * When an EOS ends the text: once no mask stands before it, once its block has none, or never before the last token.
   * The text ends before the first EOS in any case and is the same; only the forwards differ.
   */
  stopRule: z.enum(['no_mask_before', 'after_block', 'none']).default('no_mask_before'),
  /** Policy of the checkpoint's own sampler, for requests that name none. Null: this project's default. */
  decoding: z
    .discriminatedUnion('policy', [
      z.strictObject({
        policy: z.literal('confidence'),
        threshold: z.number().min(0).max(1),
        /** A probability equal to the threshold is enough. */
        inclusive: z.boolean().default(false),
      }),
      z.strictObject({
        policy: z.literal('fixed'),
        schedule: z.enum(['linear', 'cosine', 'round', 'floor']),
        ranking: z.enum(['probability', 'entropy']).default('probability'),
        /** Per block. Null: one position a step. */
        steps: positive.nullable().default(null),
      }),
    ])
    .nullable()
    .default(null),
  eosTokenIds: z.array(tokenId).min(1),
  /** Stands in for an empty prompt: some token has to predict the first id. */
  startTokenId: tokenId,
  /**
   * Tokens around a hole: `prefix` P `suffix` S `middle`, or `suffix` S `prefix` P `middle`; Codestral has no `middle`. The
   * hole's content follows and ends with `end` or an EOS. `fileSeparator` stands before each file where other files come with a
   * hole. Null: the model was not trained to fill holes.
   */
  infill: z
    .strictObject({
      prefix: tokenId,
      suffix: tokenId,
      middle: tokenId.nullable(),
      end: tokenId.nullable(),
      order: z.enum(['prefix_first', 'suffix_first']).default('prefix_first'),
      fileSeparator: tokenId.optional(),
    })
    .nullable()
    .default(null),
  /**
   * Low-rank adapters of this rank, on rows of the mask token alone: they change drafts and leave every other row as it is
   * (Samragh et al. 2025, arXiv 2507.11851). Null: none.
   */
  drafts: z.strictObject({ rank: positive }).nullable().default(null),
  /** Jinja that turns messages into a prompt, as Hugging Face's `apply_chat_template` does. Absent: the model does not chat. */
  chatTemplate: z
    .strictObject({
      template: z.string().min(1),
      /** Values of `bos_token` and `eos_token` in it. */
      bosToken: z.string(),
      eosToken: z.string(),
    })
    .optional(),
});

export type InfillFrame = NonNullable<ModelConfig['infill']>;

export type ModelConfig = Readonly<z.infer<typeof modelConfigSchema>>;

export function parseModelConfig(json: unknown): ModelConfig {
  const config = modelConfigSchema.parse(json);
  if (config.numHeads % config.numKvHeads !== 0) {
    throw new Error(`numHeads ${config.numHeads} is not a multiple of numKvHeads ${config.numKvHeads}`);
  }
  if (config.headDim % 2 !== 0) throw new Error(`headDim ${config.headDim} is odd; RoPE rotates pairs`);
  const scaling = config.ropeScaling;
  if (scaling?.type === 'factors' && scaling.factors.length !== config.headDim / 2) {
    throw new Error(`ropeScaling has ${scaling.factors.length} factors, a head ${config.headDim / 2} pairs`);
  }
  if (scaling?.type === 'llama3' && scaling.highFreqFactor <= scaling.lowFreqFactor) {
    throw new Error('ropeScaling: highFreqFactor must be more than lowFreqFactor');
  }
  const { contextAttention, blockLength, subBlockLength } = config;
  if (contextAttention === 'block_causal' && blockLength > MAX_BLOCK) {
    throw new Error(`blockLength ${blockLength} is more than the ${MAX_BLOCK} positions of a forward`);
  }
  if (subBlockLength !== null && blockLength % subBlockLength !== 0) {
    throw new Error(`subBlockLength ${subBlockLength} does not divide blockLength ${blockLength}`);
  }
  if (config.firstToken === 'from_commit' && (contextAttention === 'full' || !config.logitShift)) {
    throw new Error("firstToken 'from_commit' needs logitShift and a context that is committed");
  }
  for (const [field, id] of [
    ['maskTokenId', config.maskTokenId],
    ['startTokenId', config.startTokenId],
    ...config.eosTokenIds.map((id) => ['eosTokenIds', id] as const),
    ...infillIds(config.infill).map((id) => ['infill', id] as const),
  ] as const) {
    if (id >= config.vocabSize) throw new Error(`${field} ${id} is outside the vocabulary of ${config.vocabSize}`);
  }
  if (config.eosTokenIds.includes(config.maskTokenId)) {
    throw new Error(
      `maskTokenId ${config.maskTokenId} is one of eosTokenIds: every text would end where it is undecided`,
    );
  }
  return config;
}

function infillIds(infill: ModelConfig['infill']): number[] {
  if (infill === null) return [];
  const { prefix, suffix, middle, end, fileSeparator } = infill;
  return [prefix, suffix, middle, end, fileSeparator].filter((id) => id != null);
}

type Grid = Pick<ModelConfig, 'contextAttention' | 'grid' | 'blockLength'>;

/**
 * Tokens at the prompt's end that are not committed: they belong to the first block that is written.
 * @param prompt tokens of the prompt
 */
export function uncommittedPrompt({ contextAttention, grid, blockLength }: Grid, prompt: number): number {
  if (contextAttention === 'full') return prompt;
  return contextAttention === 'block_causal' && grid === 'zero' ? prompt % blockLength : 0;
}

/** The position, below the block length, at which the first whole block of a sequence begins. */
export function gridOrigin({ contextAttention, grid, blockLength }: Grid, prompt: number): number {
  return contextAttention === 'block_causal' && grid === 'prompt_end' ? prompt % blockLength : 0;
}

/**
 * The model at block length 1, by which drafts are checked. Every token is then a block: it sees those before it and itself,
 * also where the model's own blocks go both ways (S2D2, arXiv 2603.25702).
 */
export function atBlockLengthOne(config: ModelConfig): ModelConfig {
  if (config.contextAttention !== 'block_causal') return config;
  return { ...config, contextAttention: 'causal', firstToken: 'denoise' };
}

/** Whether a mask in the place of a token predicts it at block length 1, not the row of the token before it. */
export function checksByMasks({ logitShift }: Pick<ModelConfig, 'logitShift'>): boolean {
  return !logitShift;
}

/** Whether a committed token predicts the next one. If so, one forward commits drafts and checks them. */
export function predictsNext({
  contextAttention,
  logitShift,
}: Pick<ModelConfig, 'contextAttention' | 'logitShift'>): boolean {
  return contextAttention === 'causal' && logitShift;
}
