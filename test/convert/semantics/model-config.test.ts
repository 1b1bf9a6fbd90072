import { describe, expect, it } from 'vitest';
import type { Semantics, TokenizerFacts } from '../../../src/convert/checkpoint.ts';
import { parseHfConfig } from '../../../src/convert/hf/config.ts';
import { readHfTokenizer } from '../../../src/convert/hf/tokenizer.ts';
import { resolveInfillTokens } from '../../../src/convert/semantics/infill-tokens.ts';
import { resolveMaskTokenId } from '../../../src/convert/semantics/mask-token.ts';
import { resolveModelConfig } from '../../../src/convert/semantics/model-config.ts';
import { CONFIG, TOKENIZER, writeCheckpoint } from '../support/tiny-checkpoint.ts';

function tokenizer(tokens: Record<string, number>, facts: Partial<TokenizerFacts> = {}): TokenizerFacts {
  return { json: {}, addedTokens: new Map(Object.entries(tokens)), ...facts };
}

describe('the mask id', () => {
  it('is the flag, else what the configuration records, else the named token, else a usual spelling', () => {
    const named = tokenizer({ '<|mask|>': 5, '<hole>': 6 }, { maskToken: '<hole>' });
    expect(resolveMaskTokenId(0, 4, named)).toBe(0);
    expect(resolveMaskTokenId(undefined, 4, tokenizer({ '<hole>': 6 }))).toBe(4);
    expect(resolveMaskTokenId(undefined, undefined, named)).toBe(6);
    expect(resolveMaskTokenId(undefined, undefined, tokenizer({ '<|mask|>': 5, '<hole>': 6 }))).toBe(5);
  });

  it('is found in every spelling of published checkpoints', () => {
    for (const text of ['<|mask|>', '<M>', '|<MASK>|', '<MASK>', '<[MASK_TOKEN]>']) {
      expect(resolveMaskTokenId(undefined, undefined, tokenizer({ [text]: 9 }))).toBe(9);
    }
  });

  it('is not guessed', () => {
    expect(() => resolveMaskTokenId(undefined, undefined, tokenizer({ '<|endoftext|>': 0 }))).toThrow(
      '--mask-token-id',
    );
    const two = tokenizer({ '<M>': 1, '<|mask|>': 2 });
    expect(() => resolveMaskTokenId(undefined, undefined, two)).toThrow(/several mask tokens.*--mask-token-id/);
  });

  it('is not chosen between files that contradict each other', () => {
    const named = tokenizer({ '<|mask|>': 5, '<hole>': 6 }, { maskToken: '<hole>' });
    expect(() => resolveMaskTokenId(undefined, 4, named)).toThrow(
      'config.json: mask_token_id is 4, but the tokenizer has <hole> as 6: choose with --mask-token-id',
    );
    expect(() => resolveMaskTokenId(undefined, 4, tokenizer({ '<M>': 1, '<|mask|>': 2 }))).toThrow(
      'the tokenizer has <|mask|> as 2, <M> as 1',
    );
    expect(resolveMaskTokenId(4, 6, named)).toBe(4);
    expect(resolveMaskTokenId(undefined, 2, tokenizer({ '<M>': 1, '<|mask|>': 2 }))).toBe(2);
  });

  it('may be named in tokenizer_config.json and spelled in its added_tokens_decoder only', async () => {
    const directory = await writeCheckpoint(
      CONFIG,
      {},
      {
        'tokenizer.json': TOKENIZER,
        'tokenizer_config.json': { mask_token: '<|MASK|>', added_tokens_decoder: { '7': { content: '<|MASK|>' } } },
        'added_tokens.json': { '<MASK>': 7 },
        'special_tokens_map.json': { eos_token: { content: '<|endoftext|>' } },
      },
    );
    const facts = await readHfTokenizer(directory, undefined);
    expect(facts.maskToken).toBe('<|MASK|>');
    expect(resolveMaskTokenId(undefined, undefined, facts)).toBe(7);
  });
});

describe('resolveModelConfig', () => {
  const resolve = (changes: object, flags: Semantics, facts = tokenizer({})) =>
    resolveModelConfig('tiny', { ...parseHfConfig({ ...CONFIG, ...changes }), tokenizer: facts }, flags, true);

  it('lets flags override what is recorded', () => {
    const flags = {
      logitShift: true,
      contextAttention: 'causal',
      blockLength: 16,
      maskTokenId: 7,
      eosTokenIds: [1, 2],
      startTokenId: 9,
    } as const;
    expect(resolve({}, flags)).toMatchObject(flags);
  });

  it('starts after a document separator, else at BOS, else at EOS', () => {
    expect(resolve({}, {}, tokenizer({ '<|endoftext|>': 8 }, { bosTokenId: 1 })).startTokenId).toBe(8);
    expect(resolve({}, {}, tokenizer({}, { bosTokenId: 1 })).startTokenId).toBe(1);
    expect(resolve({}, {}).startTokenId).toBe(2);
    const seedling = { ...CONFIG.seedling, start_token_id: 5 };
    expect(resolve({ seedling }, {}, tokenizer({ '<|endoftext|>': 8 })).startTokenId).toBe(5);
  });

  it('frames a hole prefix first, unless a flag or the checkpoint says otherwise', () => {
    const fim = tokenizer({ '<|fim_prefix|>': 8, '<|fim_suffix|>': 9, '<|fim_middle|>': 10 });
    expect(resolve({}, {}, fim).infill?.order).toBe('prefix_first');
    expect(resolve({}, { infillOrder: 'suffix_first' }, fim).infill?.order).toBe('suffix_first');
    const seedling = { ...CONFIG.seedling, infill_order: 'suffix_first' };
    expect(resolve({ seedling }, {}, fim).infill?.order).toBe('suffix_first');
    expect(resolve({ seedling }, { infillOrder: 'prefix_first' }, fim).infill?.order).toBe('prefix_first');
    expect(resolve({ seedling }, {}).infill).toBeNull();
    const codestral = tokenizer({ '[PREFIX]': 8, '[SUFFIX]': 9, '[MIDDLE]': 10 });
    expect(resolve({}, {}, codestral).infill).toMatchObject({ order: 'suffix_first', middle: null });
    expect(resolve({}, { infillOrder: 'prefix_first' }, codestral).infill?.order).toBe('prefix_first');
  });

  it('says what is missing or impossible', () => {
    expect(() => resolve({ eos_token_id: null }, {})).toThrow('--eos-token-id');
    expect(() => resolve({}, {}, tokenizer({ '<extra>': 41 }))).toThrow('<extra> as 41, the embedding only 40 rows');
    expect(() => resolve({}, { maskTokenId: 40 })).toThrow('maskTokenId 40 is outside the vocabulary of 40');
    expect(() => resolve({}, { maskTokenId: 2, eosTokenIds: [1, 2] })).toThrow('maskTokenId 2 is one of eosTokenIds');
  });
});

describe('the ids around a hole', () => {
  const fim = { '<|fim_prefix|>': 8, '<|fim_suffix|>': 9, '<|fim_middle|>': 10 };

  it.each([
    [
      { ...fim, '<|fim_end|>': 11 },
      { prefix: 8, suffix: 9, middle: 10, end: 11 },
    ],
    [fim, { prefix: 8, suffix: 9, middle: 10, end: null }],
    [
      { '<PRE>': 1, '<SUF>': 2, '<MID>': 3, '<EOT>': 4 },
      { prefix: 1, suffix: 2, middle: 3, end: 4 },
    ],
    [{ '<|fim_prefix|>': 8, '<|fim_suffix|>': 9 }, null],
    [{}, null],
  ])('%j are %j', (tokens, expected) => {
    expect(resolveInfillTokens(tokenizer(tokens))).toEqual(expected && { ...expected, order: 'prefix_first' });
  });
});
