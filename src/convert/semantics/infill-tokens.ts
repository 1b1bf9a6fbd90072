/** Finds the ids that frame a hole, for a checkpoint that was trained to fill one. */
import type { InfillFrame } from '../../model/config.ts';
import type { TokenizerFacts } from '../checkpoint.ts';

/** Prefix, suffix, middle, and what ends the middle besides an EOS, as published checkpoints spell them. */
const SPELLINGS: readonly (readonly [string, string, string, string | null])[] = [
  ['<|fim_prefix|>', '<|fim_suffix|>', '<|fim_middle|>', '<|fim_end|>'], // Seedling; Qwen without the last
  ['<fim_prefix>', '<fim_suffix>', '<fim_middle>', null], // StarCoder
  ['<|fim_begin|>', '<|fim_hole|>', '<|fim_end|>', null],
  ['<PRE>', '<SUF>', '<MID>', '<EOT>'], // Code Llama
];

/** Null when the tokenizer has no complete set: the model then fills no holes. */
export function resolveInfillTokens({ addedTokens }: TokenizerFacts): Omit<InfillFrame, 'order'> | null {
  for (const [prefix, suffix, middle, end] of SPELLINGS) {
    const ids = [prefix, suffix, middle].map((text) => addedTokens.get(text));
    const [prefixId, suffixId, middleId] = ids;
    if (prefixId === undefined || suffixId === undefined || middleId === undefined) continue;
    const endId = end === null ? undefined : addedTokens.get(end);
    return { prefix: prefixId, suffix: suffixId, middle: middleId, end: endId ?? null };
  }
  return null;
}
