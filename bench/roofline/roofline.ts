/**
 * The cost of a forward by its width on this host, beside the cost that memory bandwidth and arithmetic predict. Also the
 * width that pays best at each acceptance rate, here and on a core with less bandwidth. Draws docs/roofline.svg.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { kernelFlavour } from '../../src/kernels/kernels.ts';
import { readManifest } from '../../src/model/weights.ts';
import { directorySource } from '../../src/sources/directory.ts';
import { openEngine } from '../../test/support/engines/engine.ts';
import { ForwardClock, forwardWork } from '../forward-cost.ts';
import { median, round } from '../median.ts';
import { modelName, setting, size } from '../settings.ts';
import { bestWidth, type Host, rooflineMs } from './cost-model.ts';
import { Probe } from './probe.ts';
import { drawRoofline, type RooflineFigures } from './roofline-plot.ts';

const MODEL = modelName();
const WIDTHS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64] as const;
const WIDEST = 64;
const ACCEPTANCES = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95] as const;
/** GB/s of a core on a loaded server and on a small one. */
const LESS_BANDWIDTH = [5, 2.5] as const;

export async function run(): Promise<object> {
  const repeats = size('BENCH_ROUNDS', 15);
  const { model } = await openEngine(MODEL);
  const work = forwardWork(await readManifest(directorySource(`models/${MODEL}`)), model.config);
  const probe = await Probe.create(work.bytes);
  const clock = await ForwardClock.create(model, WIDEST);
  console.log(
    `${MODEL}, ${kernelFlavour()} kernels on ${model.dot}: a forward reads ${round(work.bytes / 1e6, 1)} MB and multiplies ` +
      `${round(work.macs / 1e6, 1)} million times per position; ${repeats} rounds`,
  );

  const bandwidths: number[] = [];
  const products: number[] = [];
  const times = new Map<number, number[]>(WIDTHS.map((width) => [width, []]));
  const ratios = new Map<number, number[]>(WIDTHS.map((width) => [width, []]));
  const prefillMs: number[] = [];
  for (let i = -1; i < repeats; i++) {
    const bandwidth = probe.bandwidth();
    const product = probe.products();
    let one = Number.NaN;
    for (const width of WIDTHS) {
      const ms = await clock.time(width, 'all');
      if (width === 1) one = ms;
      if (i < 0) continue; // the engine still compiles
      times.get(width)!.push(ms);
      // Within one round, so that a slow while of the machine cancels out.
      ratios.get(width)!.push(ms / one);
    }
    const wide = await clock.time(WIDEST, 'last');
    if (i < 0) continue;
    bandwidths.push(bandwidth);
    products.push(product);
    prefillMs.push(wide);
  }

  const medians = (of: ReadonlyMap<number, readonly number[]>) => new Map([...of].map(([m, all]) => [m, median(all)]));
  const ms = medians(times);
  const measured = medians(ratios);
  const rate = (WIDEST * work.macs) / ms.get(WIDEST)! / 1e6;
  const here: Host = { bandwidth: median(bandwidths), rate };
  const figures: RooflineFigures = {
    measured,
    roofline: modelled(here),
    starved: LESS_BANDWIDTH.map((bandwidth) => ({ bandwidth, costs: modelled({ bandwidth, rate }) })),
    acceptances: ACCEPTANCES,
    bandwidth: here.bandwidth,
    rate,
  };
  const drawings = setting('BENCH_DRAWINGS') ?? 'docs';
  const drawing = join(drawings, 'roofline.svg');
  await mkdir(drawings, { recursive: true });
  await writeFile(drawing, drawRoofline(figures));

  for (const [width, cost] of measured) {
    console.log(
      `${width} positions: ${round(ms.get(width)!, 1)} ms, ${round(cost)} of one; roofline ${round(figures.roofline.get(width)!)}`,
    );
  }
  console.log(
    `bandwidth ${round(here.bandwidth, 1)} GB/s (SIMD sum of as many bytes), forwards multiply at ${round(rate, 1)} GMAC/s, ` +
      `registers at ${round(median(products), 1)}; drew ${drawing}`,
  );
  return {
    model: MODEL,
    rounds: repeats,
    dot: model.dot,
    ms: rounded(ms),
    cost: rounded(measured),
    roofline: rounded(figures.roofline),
    bandwidth_gb_s: round(here.bandwidth, 1),
    weights_gb_s: round(work.bytes / ms.get(1)! / 1e6, 1),
    forward_gmac_s: round(rate, 1),
    register_gmac_s: round(median(products), 1),
    prefill_64_tokens_per_s: round((WIDEST / median(prefillMs)) * 1000, 0),
    best_width: best(measured),
    less_bandwidth: Object.fromEntries(
      figures.starved.map(({ bandwidth, costs }) => [
        `${bandwidth}`,
        { cost: rounded(costs), best_width: best(costs) },
      ]),
    ),
  };

  /** c(M)/c(1) of a host by the roofline. */
  function modelled(host: Host): ReadonlyMap<number, number> {
    return new Map(WIDTHS.map((width) => [width, rooflineMs(work, host, width) / rooflineMs(work, host, 1)]));
  }
}

function rounded(values: ReadonlyMap<number, number>): Record<string, number> {
  return Object.fromEntries([...values].map(([key, value]) => [key, round(value)]));
}

function best(costs: ReadonlyMap<number, number>): object {
  return Object.fromEntries(
    ACCEPTANCES.map((acceptance) => {
      const { positions, speedup } = bestWidth(costs, acceptance);
      return [acceptance, { positions, speedup: round(speedup) }];
    }),
  );
}
