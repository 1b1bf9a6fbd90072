import { expect, test } from 'vitest';
import { type Plot, svgPlots } from '../../bench/svg-plot.ts';

const plot: Plot = {
  title: 'a < b & c',
  x: { label: 'x', scale: 'log2', ticks: [1, 2, 4] },
  y: { label: 'y', scale: 'linear', ticks: [0, 10] },
  series: [{ name: 'one', points: [[1, 0], [2, 5], [4, 10]] }], // biome-ignore format: a path
};

test('a logarithmic axis spaces doublings evenly, and y grows upwards', () => {
  const path = svgPlots([plot], 'doublings').match(
    /class="line" d="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)"/,
  );
  const [x1, y1, x2, y2, x3, y3] = (path ?? []).slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  expect(x2 - x1).toBeCloseTo(x3 - x2);
  expect(y1 - y2).toBeCloseTo(y2 - y3);
  expect(y1).toBeGreaterThan(y3);
});

test('words are escaped', () => {
  expect(svgPlots([plot], 'x > y')).toContain('>a &lt; b &amp; c</text>');
});

test('a point without a place is refused by the name of its series', () => {
  const series = [{ name: 'broken', points: [[0, 1]] as const }];
  expect(() => svgPlots([{ ...plot, series }], '')).toThrow('broken has no place for the point 0, 1');
});
