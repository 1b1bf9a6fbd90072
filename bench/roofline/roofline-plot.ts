/** docs/roofline.svg: cost by width on the left, what the best width gains on the right. */

import { round } from '../median.ts';
import { type Plot, type Series, svgPlots } from '../svg-plot.ts';
import { bestWidth } from './cost-model.ts';

type Costs = ReadonlyMap<number, number>;

export interface RooflineFigures {
  /** c(M)/c(1) by M, measured. */
  readonly measured: Costs;
  /** The same by the roofline of this host. */
  readonly roofline: Costs;
  /** By the roofline of hosts with less bandwidth per core, in GB/s, and the same arithmetic. */
  readonly starved: readonly { readonly bandwidth: number; readonly costs: Costs }[];
  readonly acceptances: readonly number[];
  /** GB/s */
  readonly bandwidth: number;
  /** GMAC/s */
  readonly rate: number;
}

export function drawRoofline(figures: RooflineFigures): string {
  return svgPlots(
    [costPlot(figures), gainPlot(figures)],
    'Left: cost of a forward by its number of positions, relative to one position, measured and by the roofline. ' +
      'Right: speed-up over one position a forward at the best width, by acceptance rate.',
  );
}

function costPlot({ measured, roofline, starved, bandwidth, rate }: RooflineFigures): Plot {
  const starvedSeries = starved.map(({ bandwidth, costs }): Series => {
    return { name: `roofline of a core with ${bandwidth} GB/s`, points: [...costs] };
  });
  const top = Math.max(...measured.values(), ...roofline.values());
  return {
    title: 'Cost of a forward, c(M) / c(1)',
    x: { label: 'positions in the forward, M', scale: 'log2', ticks: [1, 2, 4, 8, 16, 32, 64] },
    y: { label: 'times the cost of one position', scale: 'log2', ticks: powersOfTwo(top) },
    series: [
      { name: 'measured', points: [...measured], marks: true },
      {
        name: `roofline of this core: ${round(bandwidth, 1)} GB/s, ${round(rate, 0)} GMAC/s`,
        points: [...roofline],
        dashed: true,
      },
      ...starvedSeries,
    ],
  };
}

function gainPlot({ measured, roofline, starved, acceptances }: RooflineFigures): Plot {
  const series = (name: string, costs: Costs, style: Pick<Series, 'marks' | 'dashed'>): Series => {
    const best = acceptances.map((acceptance) => bestWidth(costs, acceptance));
    return {
      name,
      points: best.map(({ speedup }, i) => [acceptances[i]!, speedup]),
      labels: style.dashed ? [] : best.map(({ positions }) => String(positions)),
      ...style,
    };
  };
  const all = [
    series('measured costs; the number is the best width', measured, { marks: true }),
    series('roofline of this core', roofline, { dashed: true }),
    ...starved.map(({ bandwidth, costs }) => series(`core with ${bandwidth} GB/s`, costs, {})),
  ];
  const top = Math.max(...all.flatMap(({ points }) => points.map(([, y]) => y)));
  return {
    title: 'Gain at the best width over one position a forward',
    x: { label: 'chance that a drafted position holds', scale: 'linear', ticks: [0.5, 0.6, 0.7, 0.8, 0.9, 1] },
    y: { label: 'tokens per second, relative', scale: 'log2', ticks: powersOfTwo(top) },
    series: all,
  };
}

/** 1, 2, 4, ... up to the first that is not below `top`. */
function powersOfTwo(top: number): number[] {
  return Array.from({ length: Math.ceil(Math.log2(top)) + 1 }, (_, i) => 2 ** i);
}
