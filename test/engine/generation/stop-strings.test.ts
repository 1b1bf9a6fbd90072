import { describe, expect, it } from 'vitest';
import { StopStrings } from '../../../src/engine/generation/stop-strings.ts';

function run(stops: string[], pieces: string[]) {
  const watch = new StopStrings(stops);
  const texts: string[] = [];
  for (const piece of pieces) {
    const { text, stop } = watch.push(piece);
    texts.push(text);
    if (stop !== null) return { texts, stopped: true };
  }
  return { texts, stopped: false, rest: watch.flush() };
}

describe('StopStrings', () => {
  it.each([
    { stops: ['END'], pieces: ['abcENDxyz'], texts: ['abc'] },
    { stops: ['END'], pieces: ['abcE', 'N', 'Dxyz'], texts: ['abc', '', ''] },
    { stops: ['END'], pieces: ['abcENE', 'ND'], texts: ['abcEN', ''] },
    { stops: ['aab'], pieces: ['aa', 'ab'], texts: ['', 'a'] },
    { stops: ['\n\n'], pieces: ['x\n', 'y\n', '\nz'], texts: ['x', '\ny', ''] },
    // "bc" is complete before "abcd" is.
    { stops: ['abcd', 'bc'], pieces: ['abcd'], texts: ['a'] },
    { stops: ['c', 'abc'], pieces: ['abc'], texts: [''] },
    { stops: ['b', 'a'], pieces: ['xab'], texts: ['x'] },
    { stops: ['', 'b'], pieces: ['ab'], texts: ['a'] },
  ])('$stops in $pieces leaves $texts', ({ stops, pieces, texts }) => {
    expect(run(stops, pieces)).toEqual({ texts, stopped: true });
  });

  it.each([
    { stops: [], pieces: ['abc', 'def'], texts: ['abc', 'def'], rest: '' },
    { stops: [''], pieces: ['abc'], texts: ['abc'], rest: '' },
    { stops: ['END'], pieces: ['xEN'], texts: ['x'], rest: 'EN' },
    { stops: ['END', 'N!'], pieces: ['xEN', '?'], texts: ['x', 'EN?'], rest: '' },
    { stops: ['aaa'], pieces: ['aa'], texts: [''], rest: 'aa' },
  ])('$stops in $pieces holds back $rest', ({ stops, pieces, texts, rest }) => {
    expect(run(stops, pieces)).toEqual({ texts, stopped: false, rest });
  });

  it('finds the same whatever the pieces', () => {
    let seed = 1;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    const word = (length: number) => Array.from({ length }, () => 'ab'[random(2)]).join('');
    let found = 0;
    for (let round = 0; round < 500; round++) {
      const stops = Array.from({ length: 1 + random(3) }, () => word(3 + random(4)));
      const text = word(20);
      const pieces: string[] = [];
      for (let at = 0; at < text.length; ) {
        const length = 1 + random(6);
        pieces.push(text.slice(at, at + length));
        at += length;
      }
      const whole = run(stops, [...text]);
      const cut = run(stops, pieces);
      if (whole.stopped) found += 1;
      expect(cut.stopped).toBe(whole.stopped);
      expect(cut.texts.join('') + (cut.rest ?? '')).toBe(whole.texts.join('') + (whole.rest ?? ''));
    }
    expect(found).toBeGreaterThan(100);
    expect(found).toBeLessThan(500);
  });
});
