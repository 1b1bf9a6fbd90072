/** Draws what the bench of drafts measured. */
import { type Series, svgPlots } from '../svg-plot.ts';
import type { DraftRow } from './drafts.ts';

const DESCRIPTION =
  'Speed with drafts against block length 1: by prompt, for the default; and tokens a forward by positions a token, by source';

export function drawDrafts(all: readonly DraftRow[]): string {
  const rows = all.filter(({ speeds }) => speeds.length > 0);
  const defaults = rows.filter(({ mix }) => mix === 'default');
  const mixes = [...new Set(rows.map(({ mix }) => mix))];
  const highest = Math.max(2, ...defaults.flatMap(({ speeds }) => speeds));
  const most = Math.max(2, ...rows.map((row) => row.tokens_per_forward));
  const widest = Math.max(2, ...rows.map((row) => row.positions_per_token));
  return svgPlots(
    [
      {
        title: 'Default, of the speed of block length 1',
        x: { label: 'prompts, from the slowest, %', scale: 'linear', ticks: [0, 25, 50, 75, 100] },
        y: { label: 'times as fast', scale: 'linear', ticks: halves(highest) },
        series: defaults.map(({ kind, speeds }) => ({ name: kind, points: quantiles(speeds) })),
      },
      {
        title: 'Tokens for positions, by source',
        x: { label: 'positions a token', scale: 'linear', ticks: halves(widest) },
        y: { label: 'tokens a forward', scale: 'linear', ticks: halves(most) },
        series: mixes.map((mix) => points(mix, rows)),
      },
    ],
    DESCRIPTION,
  );
}

function quantiles(speeds: readonly number[]): Series['points'] {
  const last = Math.max(speeds.length - 1, 1);
  return speeds.map((speed, i) => [(100 * i) / last, speed]);
}

/** A mix on each kind, from the fewest tokens a forward on. */
function points(name: string, rows: readonly DraftRow[]): Series {
  const own = rows.filter(({ mix }) => mix === name);
  const at = own.map((row) => [row.positions_per_token, row.tokens_per_forward] as const);
  return { name, marks: true, points: at.sort((a, b) => a[1] - b[1]) };
}

/** 0, and steps of a half up to the first one that is not below the highest value; of 1 where that is many. */
function halves(highest: number): number[] {
  const step = highest > 4 ? 1 : 0.5;
  return Array.from({ length: Math.ceil(highest / step) + 1 }, (_, i) => i * step);
}
