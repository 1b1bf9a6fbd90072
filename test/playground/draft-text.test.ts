import { describe, expect, test } from 'vitest';
import { DraftText, isMask } from '../../src/playground/page/editor/draft-text.ts';

const token = (position: number, text: string, revised = false) => ({ position, text, prob: 0.5, revised });

function shown(draft: DraftText): string {
  return Array.from({ length: draft.length }, (_, position) => {
    const at = draft.at(position);
    return isMask(at) ? (at.again ? '!' : '_') : at.text;
  }).join('');
}

describe('a completion while it is denoised', () => {
  test('begins as the masks of its first block', () => {
    expect(shown(new DraftText({ maxTokens: 32, blockLength: 4, sliding: false }))).toBe('____');
    expect(shown(new DraftText({ maxTokens: 3, blockLength: 4, sliding: false }))).toBe('___');
    expect(shown(new DraftText({ maxTokens: 32, blockLength: null, sliding: true }))).toBe('');
  });

  test('a block is filled in any order, then the next one opens', () => {
    const draft = new DraftText({ maxTokens: 32, blockLength: 4, sliding: false });
    draft.step([token(2, 'c')], []);
    expect(shown(draft)).toBe('__c_');
    draft.step([token(0, 'a'), token(1, 'b'), token(3, 'd')], []);
    expect(shown(draft)).toBe('abcd____');
    expect([3, 4, 8].map((position) => draft.startsBlock(position))).toEqual([false, true, true]);
  });

  test('a window slides with what is decided, and has no borders', () => {
    const draft = new DraftText({ maxTokens: 32, blockLength: 4, sliding: true });
    draft.step([token(0, 'a')], []);
    expect(shown(draft)).toBe('a____');
    expect(draft.startsBlock(4)).toBe(false);
  });

  test('knows what a revision replaced, and what is a mask again', () => {
    const draft = new DraftText({ maxTokens: 8, blockLength: 4, sliding: true });
    draft.step([token(0, 'a'), token(1, 'x'), token(2, 'y')], []);
    draft.step([token(1, 'b', true)], [2]);
    expect(draft.at(1)).toMatchObject({ text: 'b', before: 'x', forward: 1 });
    expect(draft.revisions).toBe(1);
    expect(shown(draft)).toBe('ab!___');
  });

  test('settles the tokens that final text consists of, once it is there', () => {
    const draft = new DraftText({ maxTokens: 8, blockLength: 4, sliding: false });
    draft.step([token(0, 'ab'), token(1, ''), token(2, 'cd')], []);
    expect(draft.settledTokens).toBe(0);
    draft.settle('ab');
    expect(draft.settledTokens).toBe(2);
    draft.settle('c');
    expect(draft.settledTokens).toBe(2);
    draft.settle('d');
    expect(draft.settledTokens).toBe(3);
  });

  test('a character of several tokens is shown at the first of them', () => {
    const draft = new DraftText({ maxTokens: 8, blockLength: 4, sliding: false });
    draft.step([token(0, '\ufffd'), token(1, '\ufffd'), token(2, '!')], []);
    draft.settle('é!');
    expect(shown(draft)).toBe('é!_');
    expect(draft.settledTokens).toBe(3);
  });
});
