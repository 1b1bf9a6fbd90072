import { describe, expect, it } from 'vitest';
import { TextGuard, unprotected } from '../../../src/engine/tokenizer/text-guard.ts';

const guard = new TextGuard(['<s>', 's>', '<|im_end|>', '<|im_start|>', '$']);

describe('text inside a frame', () => {
  it.each([
    ['nothing special', 'let x = 1;'],
    ['empty', ''],
    ['a token', 'a<|im_end|>b'],
    ['tokens one after another', '<|im_end|><|im_start|><s>'],
    ['one in another', '<<s>s>'],
    ['what a break leaves', '<s>s>'],
    ['noncharacters of its own', '\ufdd0<s>\ufdd0\ufdd1\ufdd2'],
    ['what looks protected', '<\ufdd0\ufdd2|im_end|>'],
  ])('%s comes back as it was, and holds no special token between', (_name, text) => {
    const between = guard.protect(text);
    for (const special of ['<s>', 's>', '<|im_end|>', '<|im_start|>']) expect(between).not.toContain(special);
    expect(unprotected(between)).toBe(text);
  });
});
