import { describe, expect, it } from 'vitest';
import {
  endingAtMiddle,
  infillPrompt,
  markersOf,
  requireInfill,
  suffixStop,
} from '../../../src/engine/generation/infill.ts';
import { SuffixOverlap } from '../../../src/engine/generation/suffix-overlap.ts';
import { fakeConfig } from '../../support/engines/fake-model.ts';

const tokens = { prefix: 8, suffix: 9, middle: 10, end: 11, order: 'prefix_first' } as const;
const SEPARATOR = 0;

const ids = (context: number[], prefix: number[], suffix: number[]) => ({
  context: Int32Array.from(context),
  prefix: Int32Array.from(prefix),
  suffix: Int32Array.from(suffix),
});

describe('a hole', () => {
  it('is asked for as prefix, suffix, middle', () => {
    expect([...infillPrompt(ids([], [1, 2], [3]), tokens, SEPARATOR)]).toEqual([8, 1, 2, 9, 3, 10]);
    expect([...infillPrompt(ids([5], [1, 2], [3]), tokens, SEPARATOR)]).toEqual([8, 5, 1, 2, 9, 3, 10]);
    expect([...infillPrompt(ids([], [], []), tokens, SEPARATOR)]).toEqual([8, 9, 10]);
  });

  it('is asked for as suffix, prefix, middle, behind other files, where the model was trained so', () => {
    const frame = { ...tokens, order: 'suffix_first' } as const;
    expect([...infillPrompt(ids([], [1, 2], [3]), frame, SEPARATOR)]).toEqual([9, 3, 8, 1, 2, 10]);
    expect([...infillPrompt(ids([5], [1, 2], [3]), frame, SEPARATOR)]).toEqual([5, SEPARATOR, 9, 3, 8, 1, 2, 10]);
    expect([...infillPrompt(ids([], [], []), frame, SEPARATOR)]).toEqual([9, 8, 10]);
  });

  it('stands after the file separator where other files come with it and the model was trained so', () => {
    const frame = { ...tokens, fileSeparator: 12 };
    expect([...infillPrompt(ids([5, 6], [1, 2], [3]), frame, SEPARATOR)]).toEqual([12, 5, 6, 12, 8, 1, 2, 9, 3, 10]);
    expect([...infillPrompt(ids([], [1, 2], [3]), frame, SEPARATOR)]).toEqual([8, 1, 2, 9, 3, 10]);
    expect(markersOf({ infill: frame })).toEqual([8, 9, 10, 11, 12]);
  });

  it('has no middle where the model was trained so', () => {
    const frame = { ...tokens, order: 'suffix_first', middle: null, end: null } as const;
    expect([...infillPrompt(ids([], [1, 2], [3]), frame, SEPARATOR)]).toEqual([9, 3, 8, 1, 2]);
    expect([...infillPrompt(ids([5], [1, 2], [3]), frame, SEPARATOR)]).toEqual([5, SEPARATOR, 9, 3, 8, 1, 2]);
    expect(markersOf({ infill: frame })).toEqual([8, 9]);
  });

  it('ends at its marker, and for a model without one at an EOS', () => {
    expect(endingAtMiddle(fakeConfig, tokens).eosTokenIds).toEqual([...fakeConfig.eosTokenIds, 11]);
    expect(endingAtMiddle(fakeConfig, { ...tokens, end: null })).toBe(fakeConfig);
  });

  it('is refused by a model that was not trained for it', () => {
    expect(requireInfill({ ...fakeConfig, infill: tokens })).toBe(tokens);
    expect(() => requireInfill(fakeConfig)).toThrow(/'suffix' is not supported: fake was not trained/);
  });

  it.each([
    ['', []],
    ['\n}\n', []],
    [')\n  return total;\n}', [')\n  return', '\n  return total;']],
    ['\n  }\n\n  return total;\n}', ['\n  }\n\n  return', '\n  return total;']],
    ['return total;\n}', ['return total;']],
    ['\n\n    return total;\n}', ['\n    return total;']],
  ])('stops before the line that follows is written again: %j', (suffix, stops) => {
    expect(suffixStop(suffix)).toEqual(stops);
  });
});

describe('a repetition of the suffix', () => {
  const pass = (suffix: string, pieces: readonly string[]) => {
    const overlap = new SuffixOverlap(suffix);
    return pieces.map((piece) => overlap.push(piece)).join('') + overlap.flush();
  };

  it.each([
    ['a + b', ');\n', 'a + b'],
    ['a + b);', ');\n', 'a + b'],
    ['a + b)', ');\n', 'a + b)'], // one character may belong to both
    ['f(x)', ') + 1', 'f(x)'],
    ['', ');', ''],
    ['ab); c', ');', 'ab); c'], // not at the end
    ['x\n}\n', '\n}\n', 'x'],
  ])('%j before %j is %j, however it is cut', (text, suffix, expected) => {
    expect(pass(suffix, [text])).toBe(expected);
    expect(pass(suffix, [...text])).toBe(expected);
    for (let at = 0; at <= text.length; at++) expect(pass(suffix, [text.slice(0, at), text.slice(at)])).toBe(expected);
  });

  it('holds back nothing that cannot repeat the suffix', () => {
    const overlap = new SuffixOverlap('} end');
    expect(overlap.push('abc')).toBe('abc');
    expect(overlap.push('d}')).toBe('d');
    expect(overlap.push('x')).toBe('}x');
  });
});
