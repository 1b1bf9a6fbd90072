/** Finds the ids that frame a hole, for a checkpoint that was trained to fill one. */
import type { InfillFrame } from '../../model/config.ts';
import type { TokenizerFacts } from '../checkpoint.ts';

interface Spelling {
  /** A family without a middle writes the hole's content after the prefix. */
  readonly frame: readonly [prefix: string, suffix: string, middle: string | null];
  /** What ends the middle besides an EOS; the first that the tokenizer has. A model that goes on begins another file. */
  readonly ends: readonly string[];
  /** What stands before each file of a repository; the first that the tokenizer has. */
  readonly separators?: readonly string[];
  /** `prefix_first` unless given: so nearly all were trained. */
  readonly order?: InfillFrame['order'];
}

/** As published checkpoints spell them. */
const SPELLINGS: readonly Spelling[] = [
  // Seedling; Qwen2.5-Coder; CodeGemma.
  {
    frame: ['<|fim_prefix|>', '<|fim_suffix|>', '<|fim_middle|>'],
    ends: ['<|fim_end|>', '<|file_sep|>', '<|file_separator|>'],
    separators: ['<|file_sep|>', '<|file_separator|>'],
  },
  // StarCoder2, and StarCoder without a separator.
  { frame: ['<fim_prefix>', '<fim_suffix>', '<fim_middle>'], ends: ['<file_sep>'], separators: ['<file_sep>'] },
  // SantaCoder.
  { frame: ['<fim-prefix>', '<fim-suffix>', '<fim-middle>'], ends: [] },
  // DeepSeek-Coder, whose bars and spaces are no ASCII.
  { frame: ['<\uff5cfim\u2581begin\uff5c>', '<\uff5cfim\u2581hole\uff5c>', '<\uff5cfim\u2581end\uff5c>'], ends: [] },
  { frame: ['<|fim_begin|>', '<|fim_hole|>', '<|fim_end|>'], ends: [] },
  // CodeGeeX 4 and GLM.
  { frame: ['<|code_prefix|>', '<|code_suffix|>', '<|code_middle|>'], ends: [] },
  // Code Llama.
  { frame: ['<PRE>', '<SUF>', '<MID>'], ends: ['<EOT>'] },
  // Codestral: its vocabulary has [MIDDLE], its frame does not (mistral-common, `encode_fim`).
  { frame: ['[PREFIX]', '[SUFFIX]', null], ends: [], order: 'suffix_first' },
];

/**
 * What the file names goes before what is spelled as usual.
 * @returns null when there is no complete set: the model then fills no holes
 */
export function resolveInfillTokens({ addedTokens, infillIds }: TokenizerFacts): InfillFrame | null {
  if (infillIds !== undefined) {
    const frame = namedFrame(infillIds, addedTokens);
    if (frame !== null) return frame;
  }
  for (const spelling of SPELLINGS) {
    const [prefix, suffix, middle] = spelling.frame.map((text) => (text === null ? null : addedTokens.get(text)));
    if (prefix == null || suffix == null || middle === undefined) continue;
    return { prefix, suffix, middle, ...besides(spelling, addedTokens) };
  }
  return null;
}

/** The file's ids, and what they leave open as the set is spelled whose prefix has that id. Null: the middle is missing. */
function namedFrame(
  { prefix, suffix, middle, fileSeparator }: NonNullable<TokenizerFacts['infillIds']>,
  addedTokens: TokenizerFacts['addedTokens'],
): InfillFrame | null {
  const spelling = SPELLINGS.find(({ frame }) => addedTokens.get(frame[0]) === prefix);
  const hasMiddle = spelling?.frame[2] !== null;
  if (hasMiddle && middle === undefined) return null;
  return {
    prefix,
    suffix,
    middle: hasMiddle ? middle! : null,
    ...besides(spelling ?? { ends: [] }, addedTokens),
    ...(fileSeparator !== undefined && { fileSeparator }),
  };
}

function besides(
  { ends, separators = [], order = 'prefix_first' }: Omit<Spelling, 'frame'>,
  addedTokens: TokenizerFacts['addedTokens'],
): Pick<InfillFrame, 'end' | 'order' | 'fileSeparator'> {
  const fileSeparator = firstOf(separators, addedTokens);
  const end = firstOf(ends, addedTokens) ?? null;
  return { end, order, ...(fileSeparator !== undefined && { fileSeparator }) };
}

function firstOf(texts: readonly string[], addedTokens: TokenizerFacts['addedTokens']): number | undefined {
  return texts.map((text) => addedTokens.get(text)).find((id) => id !== undefined);
}
