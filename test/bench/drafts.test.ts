import { expect, test } from 'vitest';
import { drawDrafts } from '../../bench/drafts/drawing.ts';
import { beforeEdit } from '../../bench/drafts/edits.ts';

const TEXT = Array.from({ length: 30 }, (_, i) => `${'  '.repeat(i % 3)}line(${i});`).join('\n');
const OTHERS = ['    other();', 'more();'];

test('a text before an edit differs in a tenth of its lines, in the places that were asked for', () => {
  for (const [places, replaced] of [
    [1, 3],
    [3, 3],
    [8, 8],
  ] as const) {
    const old = beforeEdit(TEXT, places, OTHERS, 5).split('\n');
    const lines = TEXT.split('\n');
    const differing = lines.flatMap((line, i) => (old[i] === line ? [] : [i]));
    expect(old.length).toBe(lines.length);
    expect(differing.length).toBe(replaced);
    const runs = differing.filter((line, i) => line !== differing[i - 1]! + 1).length;
    expect(runs).toBeLessThanOrEqual(places);
    for (const line of differing) expect(old[line]).toMatch(/^(?: {2}){0,2}(?:other|more)\(\);$/);
  }
});

test('the same seed gives the same text, another seed another one', () => {
  expect(beforeEdit(TEXT, 3, OTHERS, 5)).toBe(beforeEdit(TEXT, 3, OTHERS, 5));
  expect(beforeEdit(TEXT, 3, OTHERS, 5)).not.toBe(beforeEdit(TEXT, 3, OTHERS, 6));
});

test('the drawing has a curve for each kind and a mark for each source, and leaves out what was not measured', () => {
  const row = (kind: string, mix: string, speeds: readonly number[]) => ({
    kind,
    mix,
    tokens_per_forward: 1.5,
    positions_per_token: 1.2,
    ms_per_token: 8,
    speed: 1.3,
    speed_tenth: 1,
    held: {},
    speeds,
  });
  const svg = drawDrafts([
    row('plain', 'default', [1, 1.4]),
    row('edits', 'default', []),
    row('plain', 'lookup', [1.2]),
  ]);
  expect(svg.startsWith('<svg')).toBe(true);
  expect(svg).toContain('>plain<');
  expect(svg).toContain('>lookup<');
  expect(svg).not.toContain('>edits<');
  expect(svg).not.toContain('NaN');
});
