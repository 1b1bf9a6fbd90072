/** Finds the ids that frame a hole, for a checkpoint that was trained to fill one. */
import type { InfillFrame } from '../../model/config.ts';
import type { TokenizerFacts } from '../checkpoint.ts';

interface Spelling {
  readonly frame: readonly [prefix: string, suffix: string, middle: string];
  /** What ends the middle besides an EOS; the first that the tokenizer has. A model that goes on begins another file. */
  readonly ends: readonly string[];
}

/** As published checkpoints spell them, all trained with the prefix first. */
const SPELLINGS: readonly Spelling[] = [
  // Seedling; Qwen2.5-Coder; CodeGemma.
  {
    frame: ['<|fim_prefix|>', '<|fim_suffix|>', '<|fim_middle|>'],
    ends: ['<|fim_end|>', '<|file_sep|>', '<|file_separator|>'],
  },
  // StarCoder2, and StarCoder without a separator.
  { frame: ['<fim_prefix>', '<fim_suffix>', '<fim_middle>'], ends: ['<file_sep>'] },
  // DeepSeek-Coder, whose bars and spaces are no ASCII.
  { frame: ['<\uff5cfim\u2581begin\uff5c>', '<\uff5cfim\u2581hole\uff5c>', '<\uff5cfim\u2581end\uff5c>'], ends: [] },
  { frame: ['<|fim_begin|>', '<|fim_hole|>', '<|fim_end|>'], ends: [] },
  // Code Llama.
  { frame: ['<PRE>', '<SUF>', '<MID>'], ends: ['<EOT>'] },
];

/**
 * What the file names goes before what is spelled as usual.
 * @returns null when there is no complete set: the model then fills no holes
 */
export function resolveInfillTokens({ addedTokens, infillIds }: TokenizerFacts): Omit<InfillFrame, 'order'> | null {
  if (infillIds !== undefined) return { ...infillIds, end: endOf(infillIds.prefix, addedTokens) };
  for (const { frame, ends } of SPELLINGS) {
    const [prefix, suffix, middle] = frame.map((text) => addedTokens.get(text));
    if (prefix === undefined || suffix === undefined || middle === undefined) continue;
    return { prefix, suffix, middle, end: firstOf(ends, addedTokens) };
  }
  return null;
}

/** What ends the middle in the set whose prefix has this id. */
function endOf(prefixId: number, addedTokens: TokenizerFacts['addedTokens']): number | null {
  const set = SPELLINGS.find(({ frame }) => addedTokens.get(frame[0]) === prefixId);
  return firstOf(set?.ends ?? [], addedTokens);
}

function firstOf(texts: readonly string[], addedTokens: TokenizerFacts['addedTokens']): number | null {
  return texts.map((text) => addedTokens.get(text)).find((id) => id !== undefined) ?? null;
}
