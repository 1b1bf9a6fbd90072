import { parseArgs } from 'node:util';
import { describe, expect, test } from 'vitest';
import { SEMANTICS_OPTIONS, SEMANTICS_USAGE, semanticsFromFlags } from '../../../src/convert/semantics/flags.ts';

const parse = (...args: string[]) =>
  semanticsFromFlags(parseArgs({ args, options: SEMANTICS_OPTIONS, allowNegative: true }).values);

describe('flags that say what a checkpoint means', () => {
  test('say nothing where they are not given', () => {
    for (const value of Object.values(parse())) expect(value).toBeUndefined();
  });

  test.each([
    [['--grid', 'prompt_end'], { grid: 'prompt_end' }],
    [['--block-length', '32', '--sub-block-length', '8'], { blockLength: 32, subBlockLength: 8 }],
    [['--sub-block-length', '0'], { subBlockLength: null }],
    [['--first-token', 'from_commit'], { firstToken: 'from_commit' }],
    [['--stop-rule', 'after_block'], { stopRule: 'after_block' }],
    [['--infill-order', 'suffix_first'], { infillOrder: 'suffix_first' }],
    [['--context-attention', 'full', '--no-logit-shift'], { contextAttention: 'full', logitShift: false }],
    [['--threshold', '0.9'], { decoding: { policy: 'confidence', threshold: 0.9, inclusive: false } }],
    [['--threshold', '0.9', '--inclusive'], { decoding: { policy: 'confidence', threshold: 0.9, inclusive: true } }],
    [
      ['--schedule', 'floor', '--ranking', 'entropy'],
      { decoding: { policy: 'fixed', schedule: 'floor', ranking: 'entropy', steps: null } },
    ],
    [
      ['--schedule', 'round', '--steps', '4'],
      { decoding: { policy: 'fixed', schedule: 'round', ranking: 'probability', steps: 4 } },
    ],
  ])('%j', (args, expected) => {
    expect(parse(...args)).toMatchObject(expected);
  });

  test.each([
    [['--grid', 'middle'], '--grid middle: must be one of zero, prompt_end'],
    [['--stop-rule', 'never'], '--stop-rule never: must be one of'],
    [['--infill-order', 'spm'], '--infill-order spm: must be one of prefix_first, suffix_first'],
    [['--threshold', '2'], '--threshold 2: must be from 0 to 1'],
    [['--threshold', '0.5', '--schedule', 'round'], 'only one of them'],
    [['--inclusive'], '--inclusive: only with --threshold'],
    [['--steps', '4'], '--steps: only with --schedule'],
    [['--ranking', 'entropy'], '--ranking: only with --schedule'],
  ])('%j is refused', (args, message) => {
    expect(() => parse(...args)).toThrow(message);
  });

  test('are all in the usage', () => {
    for (const flag of Object.keys(SEMANTICS_OPTIONS)) expect(SEMANTICS_USAGE).toContain(`--${flag}`);
  });
});
