import { describe, expect, test } from 'vitest';
import { Recording } from '../../src/playground/page/race/recording.ts';
import { ratioSoFar, speedUp, verdict } from '../../src/playground/page/race/standing.ts';

/** A run with one token after each of the times, which ends with the last. */
function recorded(text: string, ...times: readonly number[]): Recording {
  const recording = new Recording();
  for (const [i, ms] of times.entries()) recording.add({ type: 'text', text: text.charAt(i) }, ms, i + 1);
  const tokens = times.length;
  const end = { type: 'done', finishReason: 'length', tokens, nfe: tokens, drafts: {} } as const;
  recording.add(end, times.at(-1) ?? 0, tokens);
  return recording;
}

describe('the standing of a race', () => {
  const one = recorded('abcd', 100, 200, 300, 400);

  test('is that of the same tokens', () => {
    const auto = recorded('abcd', 100, 100, 200, 200);
    expect([1, 2, 3, 4].map((tokens) => ratioSoFar(one, auto, tokens))).toEqual([1, 2, 1.5, 2]);
  });

  test('is not known without a token, or where one of both has fewer', () => {
    expect(ratioSoFar(one, recorded('ab', 50, 60), 0)).toBeNull();
    expect(ratioSoFar(one, recorded('ab', 50, 60), 3)).toBeNull();
  });
});

test.each([
  [2, '2.0 times as fast'],
  [1.06, '1.1 times as fast'],
  [1.04, 'no faster here'],
  [0.96, 'no faster here'],
  [0.94, 'slower here, at 0.9 times the speed'],
])('a ratio of %d is "%s"', (ratio, sentence) => {
  expect(speedUp(ratio)).toBe(sentence);
});

describe('the verdict', () => {
  test('names what both have cost', () => {
    expect(verdict(recorded('ab', 1000, 2600), recorded('ab', 500, 2000))).toBe(
      'The default is 1.3 times as fast: 2 tokens in 2 forwards and 2.00 s, against 2 tokens in 2 forwards and 2.60 s. The texts are equal.',
    );
  });

  test('compares the time of a token where the texts differ, and says that they do', () => {
    const said = verdict(recorded('abcd', 100, 200, 300, 400), recorded('ax', 100, 200));
    expect(said).toMatch(/^The default is no faster here: /);
    expect(said).toMatch(/The texts differ, so this compares the time of a token\.$/);
  });

  test('is none where nothing was written, and fails where a run did not end', () => {
    expect(verdict(recorded(''), recorded(''))).toBe('The model had nothing to write here.');
    expect(() => verdict(new Recording(), recorded('a', 1))).toThrow('The run ended without a result.');
  });
});
