import { describe, expect, it } from 'vitest';
import { resolveInfillTokens } from '../../../src/convert/semantics/infill-tokens.ts';

/** Ids by place, from 10 on. */
const resolve = (texts: readonly string[]) =>
  resolveInfillTokens({ json: {}, addedTokens: new Map(texts.map((text, i) => [text, 10 + i])) });
const frame = (prefix: number, suffix: number, middle: number, end: number | null) => ({ prefix, suffix, middle, end });

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
      frame(11, 13, 12, 16),
    ],
    [
      'StarCoder2',
      ['<fim_prefix>', '<fim_middle>', '<fim_suffix>', '<fim_pad>', '<repo_name>', '<file_sep>'],
      frame(10, 12, 11, 15),
    ],
    ['StarCoder', ['<fim_prefix>', '<fim_middle>', '<fim_suffix>', '<fim_pad>'], frame(10, 12, 11, null)],
    ['CodeGemma', ['<|fim_prefix|>', '<|fim_middle|>', '<|fim_suffix|>', '<|file_separator|>'], frame(10, 12, 11, 13)],
    ['DeepSeek-Coder', ['<｜fim▁hole｜>', '<｜fim▁begin｜>', '<｜fim▁end｜>'], frame(11, 10, 12, null)],
    [
      'this project',
      ['<|fim_prefix|>', '<|fim_suffix|>', '<|fim_middle|>', '<|file_sep|>', '<|fim_end|>'],
      frame(10, 11, 12, 14),
    ],
    ['Code Llama', ['<PRE>', '<MID>', '<SUF>', '<EOT>'], frame(10, 12, 11, 13)],
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
});
