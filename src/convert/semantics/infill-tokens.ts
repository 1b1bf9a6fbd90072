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

/**
 * What the file names goes before what is spelled as usual.
 * @returns null when there is no complete set: the model then fills no holes
 */
export function resolveInfillTokens({ addedTokens, infillIds }: TokenizerFacts): Omit<InfillFrame, 'order'> | null {
  if (infillIds !== undefined) return { ...infillIds, end: endOf(infillIds.prefix, addedTokens) };
  for (const [prefix, suffix, middle, end] of SPELLINGS) {
    const ids = [prefix, suffix, middle].map((text) => addedTokens.get(text));
    const [prefixId, suffixId, middleId] = ids;
    if (prefixId === undefined || suffixId === undefined || middleId === undefined) continue;
    const endId = end === null ? undefined : addedTokens.get(end);
    return { prefix: prefixId, suffix: suffixId, middle: middleId, end: endId ?? null };
  }
  return null;
}

/** What ends the middle in the set whose prefix has this id. */
function endOf(prefixId: number, addedTokens: TokenizerFacts['addedTokens']): number | null {
  const set = SPELLINGS.find(([prefix]) => addedTokens.get(prefix) === prefixId);
  return addedTokens.get(set?.[3] ?? '') ?? null;
}
