import { describe, expect, it } from 'vitest';
import type { TokenizerFacts } from '../../../src/convert/checkpoint.ts';
import { resolveInfillTokens } from '../../../src/convert/semantics/infill-tokens.ts';

type InfillIds = TokenizerFacts['infillIds'];

/** Ids by place, from 10 on. */
const resolve = (texts: readonly string[]) =>
  resolveInfillTokens({ json: {}, addedTokens: new Map(texts.map((text, i) => [text, 10 + i])) });
const frame = (prefix: number, suffix: number, middle: number, end: number | null, fileSeparator?: number) => ({
  prefix,
  suffix,
  middle,
  end,
  order: 'prefix_first',
  fileSeparator,
});

describe('the frame of a hole', () => {
  it.each<[string, string[], object | null]>([
    [
      'Qwen2.5-Coder',
      [
        '<|endoftext|>',
        '<|fim_prefix|>',
        '<|fim_middle|>',
        '<|fim_suffix|>',
        '<|fim_pad|>',
        '<|repo_name|>',
        '<|file_sep|>',
      ],
      frame(11, 13, 12, 16, 16),
    ],
    [
      'StarCoder2',
      ['<fim_prefix>', '<fim_middle>', '<fim_suffix>', '<fim_pad>', '<repo_name>', '<file_sep>'],
      frame(10, 12, 11, 15, 15),
    ],
    ['StarCoder', ['<fim_prefix>', '<fim_middle>', '<fim_suffix>', '<fim_pad>'], frame(10, 12, 11, null)],
    [
      'CodeGemma',
      ['<|fim_prefix|>', '<|fim_middle|>', '<|fim_suffix|>', '<|file_separator|>'],
      frame(10, 12, 11, 13, 13),
    ],
    ['DeepSeek-Coder', ['<｜fim▁hole｜>', '<｜fim▁begin｜>', '<｜fim▁end｜>'], frame(11, 10, 12, null)],
    [
      'this project',
      ['<|fim_prefix|>', '<|fim_suffix|>', '<|fim_middle|>', '<|file_sep|>', '<|fim_end|>'],
      frame(10, 11, 12, 14, 13),
    ],
    ['Code Llama', ['<PRE>', '<MID>', '<SUF>', '<EOT>'], frame(10, 12, 11, 13)],
    ['SantaCoder', ['<fim-prefix>', '<fim-middle>', '<fim-suffix>'], frame(10, 12, 11, null)],
    ['CodeGeeX 4', ['<|code_suffix|>', '<|code_prefix|>', '<|code_middle|>'], frame(11, 10, 12, null)],
    [
      'Codestral, whose frame has no middle',
      ['[PREFIX]', '[MIDDLE]', '[SUFFIX]'],
      { prefix: 10, suffix: 12, middle: null, end: null, order: 'suffix_first' },
    ],
    ['a part of Codestral', ['[PREFIX]', '[MIDDLE]'], null],
    ['an incomplete set', ['<|fim_prefix|>', '<|fim_suffix|>', '<|file_sep|>'], null],
    [
      'one incomplete, one whole',
      ['<|fim_prefix|>', '<fim_prefix>', '<fim_middle>', '<fim_suffix>'],
      frame(11, 13, 12, null),
    ],
    ['no set', ['<|endoftext|>'], null],
  ])('is found without a flag: %s', (_family, texts, expected) => {
    expect(resolve(texts)).toEqual(expected);
  });

  it.each<[string, string[], object, object | null]>([
    ['one that is not spelled', [], { prefix: 5, suffix: 6, middle: 7 }, frame(5, 6, 7, null)],
    ['a separator', [], { prefix: 5, suffix: 6, middle: 7, fileSeparator: 8 }, frame(5, 6, 7, null, 8)],
    [
      'a spelled one, with what the file leaves open',
      ['<|fim_prefix|>', '<|fim_suffix|>', '<|fim_middle|>', '<|file_sep|>'],
      { prefix: 10, suffix: 11, middle: 12 },
      frame(10, 11, 12, 13, 13),
    ],
    [
      'the separator of the file before the spelled one',
      ['<|fim_prefix|>', '<|fim_suffix|>', '<|fim_middle|>', '<|file_sep|>'],
      { prefix: 10, suffix: 11, middle: 12, fileSeparator: 9 },
      frame(10, 11, 12, 13, 9),
    ],
    [
      'Codestral, with or without a middle',
      ['[PREFIX]', '[SUFFIX]', '[MIDDLE]'],
      { prefix: 10, suffix: 11, middle: 12 },
      { prefix: 10, suffix: 11, middle: null, end: null, order: 'suffix_first' },
    ],
    ['two of three', [], { prefix: 5, suffix: 6 }, null],
    [
      'two of three, where a set is spelled',
      ['<PRE>', '<SUF>', '<MID>'],
      { prefix: 5, suffix: 6 },
      frame(10, 11, 12, null),
    ],
  ])('is what a GGUF names: %s', (_what, texts, infillIds, expected) => {
    const addedTokens = new Map(texts.map((text, i) => [text, 10 + i]));
    expect(resolveInfillTokens({ json: {}, addedTokens, infillIds: infillIds as InfillIds })).toEqual(expected);
  });
});
