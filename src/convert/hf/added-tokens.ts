/**
 * Completes the added tokens of a tokenizer.json from the files beside it, as transformers 5 does when it loads them
 * (`PreTrainedTokenizerBase._from_pretrained`, `TokenizersBackend.__init__`). The Rust library reads tokenizer.json alone.
 */
import { z } from 'zod';

const flags = {
  single_word: z.boolean().optional(),
  lstrip: z.boolean().optional(),
  rstrip: z.boolean().optional(),
  normalized: z.boolean().optional(),
  special: z.boolean().optional(),
};

/** A token as text alone, or with its flags. */
export const tokenSchema = z.union([
  z.string().transform((content): TokenEntry => ({ content, special: true })),
  z.looseObject({ content: z.string(), ...flags }),
]);

export interface TokenEntry extends z.infer<z.ZodObject<typeof flags>> {
  readonly content: string;
}

export interface AddedTokenEntry extends TokenEntry {
  readonly id: number;
}

/** Fields of tokenizer_config.json that name one special token, in the order in which new ones get their ids. */
export const NAMES = [
  'bos_token',
  'eos_token',
  'unk_token',
  'sep_token',
  'pad_token',
  'cls_token',
  'mask_token',
] as const;

/** What stands beside tokenizer.json. */
export interface TokenizerFiles {
  /** `added_tokens_decoder` of tokenizer_config.json. Where it stands, transformers does not read `listed`. */
  readonly decoder: ReadonlyMap<number, TokenEntry> | undefined;
  /** Id by text: added_tokens.json. */
  readonly listed: ReadonlyMap<string, number>;
  readonly named: ReadonlyMap<(typeof NAMES)[number], TokenEntry>;
  /** Further special tokens, which have no field of their own. */
  readonly extra: readonly TokenEntry[];
}

/**
 * @param added `added_tokens` of tokenizer.json
 * @param vocab `model.vocab` of tokenizer.json
 * @param rows of the embedding: a token that is only named gets no id past them
 * @returns all added tokens by ascending id; `added` itself where the other files add nothing
 */
export function completeAddedTokens(
  added: readonly AddedTokenEntry[],
  vocab: Readonly<Record<string, number>>,
  files: TokenizerFiles,
  rows: number,
): readonly AddedTokenEntry[] {
  const tokens = new Map(added.map((token) => [token.content, token]));
  const words = Object.keys(vocab).length;
  const idInVocab = (text: string) => (Object.hasOwn(vocab, text) ? vocab[text] : undefined);
  const names = new Set([...files.named.values()].map(({ content }) => content));
  let changed = false;
  const write = (id: number, token: TokenEntry) => {
    tokens.set(token.content, withFlags(id, token));
    changed = true;
  };

  const owners = new Set([...Object.values(vocab), ...added.map(({ id }) => id)]);
  for (const [given, entry] of [...recorded(added, files)].sort(([a], [b]) => a - b)) {
    const token = names.has(entry.content) ? { ...entry, special: true } : entry;
    const known = tokens.get(entry.content);
    if (known !== undefined && sameFlags(known, token)) continue;
    const id = known?.id ?? idInVocab(entry.content) ?? given;
    // The id of another token: the two files spell one token in two ways.
    if (known === undefined && idInVocab(entry.content) === undefined && owners.has(id)) continue;
    write(id, token);
  }

  for (const [name, token] of [...files.named, ...files.extra.map((entry) => ['extra', entry] as const)]) {
    if (tokens.has(token.content)) continue;
    const inVocab = idInVocab(token.content);
    const next = Math.max(words, ...[...tokens.values()].map(({ id }) => id + 1));
    const id = inVocab ?? next;
    // A mask that has no row yet was never trained: the files spell it in another way somewhere.
    if (id >= rows || (name === 'mask_token' && inVocab === undefined)) continue;
    write(id, { ...token, special: name === 'extra' ? token.special : true });
  }
  return changed ? [...tokens.values()].sort((a, b) => a.id - b.id) : added;
}

/** Tokens with an id of their own in a file, by that id. */
function recorded(added: readonly AddedTokenEntry[], { decoder, listed, named, extra }: TokenizerFiles) {
  if (decoder !== undefined) return decoder;
  const special = new Set([...named.values(), ...extra].map(({ content }) => content));
  const all = new Map<number, TokenEntry>();
  for (const [content, id] of listed) all.set(id, { content, special: special.has(content) });
  for (const token of added) all.set(token.id, token);
  return all;
}

function withFlags(id: number, token: TokenEntry): AddedTokenEntry {
  const { content, single_word = false, lstrip = false, rstrip = false, special = false } = token;
  return { id, content, single_word, lstrip, rstrip, normalized: token.normalized ?? !special, special };
}

function sameFlags(a: AddedTokenEntry, b: TokenEntry): boolean {
  return JSON.stringify(withFlags(a.id, a)) === JSON.stringify(withFlags(a.id, b));
}
