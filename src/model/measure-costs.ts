/** Times forwards of a few sizes at load: what a batch or a draft costs is different on every host. */
import type { DotProduct } from '../kernels/dot-product.ts';
import { type CostCurve, PROPORTIONAL } from './cost-curve.ts';
import { STORED_COSTS } from './stored-costs.ts';

export interface Timing {
  /** Positions of the timed forwards, ascending from 1. */
  readonly sizes: readonly number[];
  /** Runs the widest size before all others: it warms up caches and V8's optimiser, and shows whether the clock moves. */
  readonly warmUp: boolean;
  /** Timed forwards of each size. One more runs before them: it warms caches or compiles shaders. */
  readonly rounds: number;
  /** Milliseconds of timed forwards after which no other is started. */
  readonly budget: number;
  /** The time that stands for all rounds of one size. */
  readonly typical: (times: readonly number[]) => number;
  /** The answer where the clock stands still during computation (deployed Workers). */
  readonly stored: CostCurve;
}

/** For forwards through a part of the model on this project's kernels: some 60 ms in all. */
export const KERNEL_TIMING: Timing = {
  sizes: [1, 2, 3, 4, 8, 16],
  warmUp: true,
  rounds: 5,
  budget: Number.POSITIVE_INFINITY,
  typical: (times) => times.toSorted((a, b) => a - b)[times.length >> 1]!,
  stored: STORED_COSTS.vpmaddubsw,
};

/** The same on a host whose kernels use that dot product. */
export function kernelTiming(dot: DotProduct): Timing {
  return { ...KERNEL_TIMING, stored: STORED_COSTS[dot] };
}

/** For whole forwards of an ONNX Runtime session. A software adapter takes seconds for one: it measures few sizes. */
export const SESSION_TIMING: Timing = {
  sizes: [1, 2, 4, 8, 16, 32],
  warmUp: false,
  rounds: 3,
  budget: 4000,
  typical: (times) => Math.min(...times),
  stored: PROPORTIONAL,
};

/**
 * @param forward runs that many positions
 * @param most positions that it takes
 */
export async function measureCosts(
  forward: (positions: number) => Promise<void> | void,
  most: number,
  { sizes, warmUp, rounds, budget, typical, stored }: Timing,
): Promise<CostCurve> {
  const positions = sizes.filter((size) => size <= most);
  if (warmUp && (await timed(() => forward(positions.at(-1)!))) <= 0) return stored;
  const times: number[] = [];
  let spent = 0;
  for (const count of positions) {
    if (spent >= budget) break;
    await forward(count);
    const ofSize: number[] = [];
    while (ofSize.length < rounds && (ofSize.length === 0 || spent < budget)) {
      const elapsed = await timed(() => forward(count));
      spent += elapsed;
      ofSize.push(elapsed);
    }
    times.push(typical(ofSize));
    if (times[0]! <= 0) return stored;
  }
  // Noise must not make a wider forward look cheaper than a narrow one.
  let floor = 1;
  const costs = times.map((time) => {
    floor = Math.max(floor, time / times[0]!);
    return floor;
  });
  return { source: 'measured', positions: positions.slice(0, costs.length), costs };
}

/** Milliseconds that the work takes; 0 where the clock stands still. */
async function timed(work: () => Promise<void> | void): Promise<number> {
  const start = performance.now();
  const working = work();
  if (working) await working;
  return performance.now() - start;
}
