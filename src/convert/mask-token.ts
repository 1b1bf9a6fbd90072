/** Which id stands for "not decided yet". Never inferred from the size of the vocabulary. */
import { ConversionError, type FamilyMask, type TokenizerFacts } from './checkpoint.ts';

/** Spellings in published checkpoints. */
const SPELLINGS = ['<|mask|>', '<|MASK|>', '<MASK>', '|<MASK>|', '<M>', '<[MASK_TOKEN]>', '[MASK]', '<mask>'];

/**
 * The flag, else what the configuration records, else the token that the tokenizer names, else one that is spelled as the
 * family does or as is usual, else the id that the family's code assumes.
 * @throws ConversionError saying how to give it.
 */
export function resolveMaskTokenId(
  flag: number | undefined,
  recorded: number | undefined,
  tokenizer: TokenizerFacts,
  family?: FamilyMask,
): number {
  const given = flag ?? recorded;
  if (given !== undefined) return given;
  const { addedTokens, maskToken } = tokenizer;
  const named = addedTokens.get(maskToken ?? '') ?? addedTokens.get(family?.token ?? '');
  if (named !== undefined) return named;

  const spelled = SPELLINGS.filter((text) => addedTokens.has(text));
  const ids = new Set(spelled.map((text) => addedTokens.get(text)!));
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
