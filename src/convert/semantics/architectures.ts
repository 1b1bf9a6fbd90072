/**
 * The one table of checkpoint families. A row says which decoder an `architectures` entry is, and what the family's
 * own code fixes without writing it into a file. No other part of the converter knows a family's name.
 */
import type { ModelConfig } from '../../model/config.ts';
import { ConversionError, type Semantics } from '../checkpoint.ts';

type Architecture = ModelConfig['architecture'];

export interface Family {
  readonly name: string;
  /** The decoder of each entry of `architectures`. The entry decides, not `model_type`, which strangers share. */
  readonly architectures: Readonly<Record<string, Architecture>>;
  /** Used where neither a flag nor the checkpoint's files say. */
  readonly semantics: Semantics;
  /** How its tokenizer spells the mask, and the id that its code assumes where no file says. */
  readonly mask?: { readonly token: string; readonly id?: Partial<Readonly<Record<Architecture, number>>> };
  /** Where another family has the same config.json: this one is meant if the source's name holds the word. */
  readonly nameHolds?: string;
  /** Where another family has the same config.json: this one is meant unless something says otherwise. */
  readonly usual?: boolean;
  /** Length of a block in the source's name. */
  readonly blockLengthInName?: RegExp;
}

/** Most probable first, one position a step unless `steps` are fewer (dllm's `low_confidence`). */
const DLLM = { policy: 'fixed', schedule: 'round', ranking: 'probability', steps: null } as const;
/** Lowest entropy first (Dream's `entropy`). */
const DREAM = { policy: 'fixed', schedule: 'floor', ranking: 'entropy', steps: null } as const;

const BLOCKS: Semantics = { logitShift: false, contextAttention: 'block_causal', grid: 'zero', firstToken: 'denoise' };
/** Longer than any completion: every position may be decided at any time. */
const WHOLE_CANVAS = 1 << 20;
const CANVAS: Semantics = { contextAttention: 'full', blockLength: WHOLE_CANVAS, stopRule: 'no_mask_before' };

const A2D = { A2DQwen2LMHeadModel: 'qwen2', A2DQwen3LMHeadModel: 'qwen3', A2DLlamaLMHeadModel: 'llama' } as const;
const A2D_MASK = { token: '<|mask|>', id: { qwen2: 151665, qwen3: 151669 } };

/** Sources of every line: the families' own code, as far as it is public. */
const FAMILIES: readonly Family[] = [
  {
    // A checkpoint to start from: row i-1 predicts i, and everything is causal.
    name: 'autoregressive',
    architectures: { LlamaForCausalLM: 'llama', Qwen2ForCausalLM: 'qwen2', Qwen3ForCausalLM: 'qwen3' },
    semantics: { logitShift: true, contextAttention: 'causal', blockLength: 8 },
    usual: true,
  },
  {
    name: 'tiny-a2d-bd3lm',
    architectures: A2D,
    semantics: { ...BLOCKS, grid: 'prompt_end', blockLength: 32, stopRule: 'after_block', decoding: DLLM },
    mask: A2D_MASK,
    nameHolds: 'bd3lm',
  },
  {
    name: 'tiny-a2d-mdlm',
    architectures: A2D,
    semantics: { ...CANVAS, logitShift: false, blockLength: 32, decoding: DLLM },
    mask: A2D_MASK,
    nameHolds: 'mdlm',
  },
  {
    name: 'sdar',
    architectures: { SDARForCausalLM: 'qwen3' },
    semantics: {
      ...BLOCKS,
      blockLength: 4,
      stopRule: 'after_block',
      decoding: { policy: 'confidence', threshold: 0.85, inclusive: false },
    },
    mask: { token: '<|MASK|>', id: { qwen3: 151669 } },
    blockLengthInName: /-b(\d+)(?![a-z0-9])/i,
  },
  {
    name: 'stable-diffcoder',
    architectures: { StableDiffcoderForCausalLM: 'llama' },
    semantics: {
      ...BLOCKS,
      blockLength: 4,
      stopRule: 'after_block',
      decoding: { policy: 'confidence', threshold: 0.95, inclusive: true },
    },
    mask: { token: '<[MASK_TOKEN]>', id: { llama: 5 } },
  },
  {
    // Its code's own threshold is 1, one position a step; its published results are of 0.9.
    name: 'fast-dllm-v2',
    architectures: { Fast_dLLM_QwenForCausalLM: 'qwen2' },
    semantics: {
      ...BLOCKS,
      logitShift: true,
      blockLength: 32,
      subBlockLength: 8,
      firstToken: 'from_commit',
      stopRule: 'no_mask_before',
      decoding: { policy: 'confidence', threshold: 0.9, inclusive: false },
    },
    mask: { token: '|<MASK>|', id: { qwen2: 151665 } },
  },
  {
    name: 'open-dcoder',
    architectures: { Qwen2ForCausalLM: 'qwen2' },
    semantics: { ...CANVAS, logitShift: true, decoding: DREAM },
    mask: { token: '<M>', id: { qwen2: 151665 } },
    nameHolds: 'open-dcoder',
  },
  {
    // Dream, Dream-Coder and DiffuCoder.
    name: 'dream',
    architectures: { DreamModel: 'qwen2' },
    semantics: { ...CANVAS, logitShift: true, decoding: DREAM },
    mask: { token: '<|mask|>', id: { qwen2: 151666 } },
  },
];

/** What known strangers would need. */
const NEEDED: Readonly<Record<string, string>> = {
  LLaDAModelLM: "its tensors have names of their own (model.transformer.blocks), which the converter doesn't map",
  LLaDA2MoeModelLM: 'a mixture of experts needs a router and its own MLP',
  WeDLMForCausalLM: 'it denoises over a reordered window, with a sampler of its own',
  EfficientDLM: 'how it attends and its mask id are not published',
  DiffEncoderModel: 'its tensors have names of their own (encoder, diffusion_head)',
  DreamForCausalLM: 'it is another model than Dream (QK norm, blocks), whose sampler is not described',
};

/** What tells families with the same config.json apart. */
export interface FamilyHints {
  /** `--family`. */
  readonly family?: string | undefined;
  /** The name of the directory or repository. */
  readonly sourceName: string;
}

/**
 * @throws ConversionError if `architectures` is not in the table, the asked family is not one of it, or several have this
 *   config.json and nothing says which is meant
 */
export function familyOf(architectures: readonly string[], { family, sourceName }: FamilyHints): Family {
  const rows = rivals(architectures);
  const names = rows.map(({ name }) => name).join(', ');
  if (family !== undefined) {
    const row = rows.find(({ name }) => name === family);
    if (row !== undefined) return row;
    const known = FAMILIES.map(({ name }) => name).join(', ');
    throw new ConversionError(
      `--family ${family}: architectures ${JSON.stringify(architectures)} is none of it (its families: ${names || 'none'}; all: ${known})`,
    );
  }
  if (rows.length === 0) throw new ConversionError(unknown(architectures));
  const only = rows.length === 1 ? rows : rows.filter(({ nameHolds }) => held(nameHolds, sourceName));
  const row = only.length === 1 ? only[0] : rows.find(({ usual }) => usual);
  if (row !== undefined) return row;
  throw new ConversionError(
    `config.json: architectures ${JSON.stringify(architectures)} does not say which family this is, and neither does the ` +
      `name "${sourceName}": choose with --family (${names})`,
  );
}

/**
 * @throws ConversionError if the tokenizer has the mask token of another family with the same config.json: taken for an
 *   autoregressive model, it would run and write nonsense
 */
export function refuseDisguise(
  family: Family,
  architectures: readonly string[],
  addedTokens: ReadonlyMap<string, number>,
): void {
  if (!family.usual) return;
  const other = rivals(architectures).find(
    ({ name, mask }) => name !== family.name && mask && addedTokens.has(mask.token),
  );
  if (other === undefined) return;
  throw new ConversionError(
    `the tokenizer has ${other.mask?.token}, the mask of ${other.name}, which has the same config.json as ${family.name}: ` +
      `choose with --family ${other.name} or --family ${family.name}`,
  );
}

/** Length of a block as the source's name says, in tokens. */
export function namedBlockLength({ blockLengthInName }: Family, sourceName: string): number | undefined {
  const length = blockLengthInName?.exec(sourceName)?.[1];
  return length === undefined ? undefined : Number(length);
}

/** Families of an `architectures` entry. */
function rivals(architectures: readonly string[]): readonly Family[] {
  return architectures.length === 1 ? FAMILIES.filter((row) => architectures[0]! in row.architectures) : [];
}

function held(word: string | undefined, name: string): boolean {
  return word !== undefined && name.toLowerCase().includes(word);
}

function unknown(architectures: readonly string[]): string {
  const needed =
    NEEDED[architectures[0] ?? ''] ??
    "it would need a row in the converter's table and, if its arithmetic is not one of these, a forward pass";
  const known = [...new Set(FAMILIES.flatMap((row) => Object.keys(row.architectures)))].join(', ');
  return `config.json: architectures ${JSON.stringify(architectures)} is not supported: ${needed} (supported: ${known})`;
}
