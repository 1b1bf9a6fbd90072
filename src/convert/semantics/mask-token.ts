/** Finds the id that stands for "not decided yet". It is never inferred from the size of the vocabulary. */
import { ConversionError, type FamilyMask, type TokenizerFacts } from '../checkpoint.ts';

/** Spellings in published checkpoints. */
const SPELLINGS = ['<|mask|>', '<|MASK|>', '<MASK>', '|<MASK>|', '<M>', '<[MASK_TOKEN]>', '[MASK]', '<mask>'];

/**
 * The flag, else what the configuration records, else the token that the tokenizer names, else one that is spelled as the
 * family does or as is usual, else the id that the family's code assumes. A file that says another id than another file is
 * in conflict with it: then only the flag decides.
 * @throws ConversionError saying how to give it.
 */
export function resolveMaskTokenId(
  flag: number | undefined,
  recorded: number | undefined,
  tokenizer: TokenizerFacts,
  family?: FamilyMask,
): number {
  if (flag !== undefined) return flag;
  const { addedTokens, maskToken } = tokenizer;
  const named = [maskToken, family?.token].find((text) => text !== undefined && addedTokens.has(text));
  const spelled = named === undefined ? SPELLINGS.filter((text) => addedTokens.has(text)) : [named];
  const ids = new Set(spelled.map((text) => addedTokens.get(text)!));
  if (recorded !== undefined) {
    if (ids.size === 0 || ids.has(recorded)) return recorded;
    throw new ConversionError(
      `config.json: mask_token_id is ${recorded}, but the tokenizer has ` +
        `${spelled.map((text) => `${text} as ${addedTokens.get(text)}`).join(', ')}: choose with --mask-token-id`,
    );
  }
  if (ids.size > 1) {
    throw new ConversionError(
      `the tokenizer has several mask tokens (${spelled.join(', ')}): choose with --mask-token-id`,
    );
  }
  for (const id of ids) return id;
  if (family?.id !== undefined) return unclaimed(family.id, family.token, addedTokens);
  throw new ConversionError(
    'no mask token: neither mask_token_id in config.json nor one among the added tokens of the tokenizer. ' +
      'Give its id with --mask-token-id (an autoregressive base can use any special token that it never uses)',
  );
}

/** @throws ConversionError if the tokenizer has another token there */
function unclaimed(id: number, mask: string, addedTokens: ReadonlyMap<string, number>): number {
  for (const [text, other] of addedTokens) {
    if (other !== id) continue;
    throw new ConversionError(
      `the tokenizer has no mask token, and the id that this family's code assumes for ${mask}, ${id}, is ${text}: ` +
        'give the right one with --mask-token-id',
    );
  }
  return id;
}
