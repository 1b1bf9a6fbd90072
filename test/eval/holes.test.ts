import { expect, test } from 'vitest';
import { lineHole, spanHole } from '../../eval/heldout/holes.ts';

const TEXT = `${'// first\n'.repeat(8)}function f(a) {\n  return longName(a) + 1;  \n}\n${'// last\n'.repeat(8)}`;

test('a line hole is one line without indentation and trailing spaces, in the middle half', () => {
  for (let seed = 0; seed < 20; seed++) {
    const hole = lineHole(TEXT, seed)!;
    expect(hole.prefix + hole.middle + hole.suffix).toBe(TEXT);
    expect(['function f(a) {', 'return longName(a) + 1;', '// first']).toContain(hole.middle);
    expect(hole.prefix.length).toBeGreaterThanOrEqual(TEXT.length / 4);
  }
  expect(lineHole('a\n}\n', 1)).toBeNull();
});

test('a span hole is not empty and cuts no word', () => {
  for (let seed = 0; seed < 50; seed++) {
    const { prefix, middle, suffix } = spanHole(TEXT, seed)!;
    expect(prefix + middle + suffix).toBe(TEXT);
    expect(middle).not.toBe('');
    expect(`${prefix.at(-1)}${middle[0]}`).not.toMatch(/^[a-z]{2}$/i);
    expect(`${middle.at(-1)}${suffix[0]}`).not.toMatch(/^[a-z]{2}$/i);
  }
  expect(spanHole('word', 1)).toBeNull();
});

test('the same seed cuts the same hole, another seed another', () => {
  expect(spanHole(TEXT, 7)).toEqual(spanHole(TEXT, 7));
  expect(new Set(Array.from({ length: 20 }, (_, seed) => spanHole(TEXT, seed)?.middle)).size).toBeGreaterThan(5);
});
