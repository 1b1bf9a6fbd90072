/** What is refused without being tokenized could not have fitted, and what fits is not refused. */
import { describe, expect, test } from 'vitest';
import { requireMayFit } from '../../../src/engine/generation/prompt-length.ts';
import { openTokenizer } from '../../support/engines/engine.ts';
import { FakeModel } from '../../support/engines/fake-model.ts';

const LIMIT = 64;
const tokenizer = await openTokenizer('seedling-135m');
const model = new FakeModel({ next: () => 0, poolTokens: LIMIT });
const refused = (text: string) => {
  try {
    requireMayFit(text, 'code', { model, tokenizer });
    return null;
  } catch (error) {
    return error;
  }
};

test('the longest token of the shipped vocabulary is a line break and 80 spaces', () => {
  expect(tokenizer.longestToken).toBe(81);
  expect(tokenizer.encode(`\n${' '.repeat(80)}`, 'prompt')).toHaveLength(1);
});

describe.each([
  ['the longest token', `\n${' '.repeat(80)}`],
  ['a special token', '<|endoftext|>'],
  ['two bytes a character', 'é'],
  ['four', '😀'],
])('%s, again and again', (_name, piece) => {
  test.each([1, 2, LIMIT - 1, LIMIT, LIMIT + 1, 4 * LIMIT, 40 * LIMIT])('%i times', (count) => {
    const text = piece.repeat(count);
    if (tokenizer.encode(text, 'prompt').length <= LIMIT) expect(refused(text)).toBeNull();
    if (new TextEncoder().encode(text).length <= LIMIT * 81) expect(refused(text)).toBeNull();
    else expect(refused(text)).toMatchObject({ code: 'context_length_exceeded', param: 'code' });
  });
});

test('the error says how many tokens there are at the least', () => {
  expect(String(refused('x'.repeat(81 * LIMIT + 1)))).toContain(`'code' has ${LIMIT + 1} or more`);
});
