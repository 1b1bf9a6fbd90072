/** What a forward of M positions costs on a host, relative to one position. */
export interface CostCurve {
  /** `measured` on this host at load; `stored` where the clock stands still during computation. */
  readonly source: 'measured' | 'stored';
  /** Ascending, from 1. */
  readonly positions: readonly number[];
  /** Of the same length; the first is 1. */
  readonly costs: readonly number[];
}

/** Every position costs as much as the first: where nothing is read that they could share. */
export const PROPORTIONAL: CostCurve = { source: 'stored', positions: [1], costs: [1] };

/** Cost of a forward of `positions` (1 or more): linear between the measured points, proportional past the last. */
export function costOf(curve: CostCurve, positions: number): number {
  const { positions: at, costs } = curve;
  const above = at.findIndex((p) => p >= positions);
  if (above === -1) {
    const last = at.length - 1;
    return ((costs[last] ?? 1) * positions) / (at[last] ?? 1);
  }
  const [left = 1, right = 1] = [at[above - 1], at[above]];
  const [low = 1, high = 1] = [costs[above - 1], costs[above]];
  return right === left || above === 0 ? high : low + ((high - low) * (positions - left)) / (right - left);
}

/**
 * The project's kernels on x64 without VNNI (AMD Zen 3), from `npm run bench -- roofline`: one position waits
 * for the weights to come from memory, so a draft or two beside it cost little.
 */
export const STORED_X64: CostCurve = {
  source: 'stored',
  positions: [1, 2, 3, 4, 8, 16],
  costs: [1, 1.16, 1.4, 1.74, 3.3, 6.75],
};

/**
 * Times forwards of a few sizes, some 60 ms in all.
 * @param forward runs that many positions through a part of the model
 * @param most positions that it takes
 * @param stored what to answer where the clock does not move during computation (deployed Workers)
 */
export function measureCosts(forward: (positions: number) => void, most: number, stored: CostCurve): CostCurve {
  const positions = SIZES.filter((size) => size <= most);
  const widest = positions.at(-1) ?? 1;
  // The first runs also warm the caches and V8's optimiser.
  if (timed(forward, widest) <= 0) return stored;
  const times = positions.map((count) => {
    forward(count);
    return median(Array.from({ length: ROUNDS }, () => timed(forward, count)));
  });
  const [one = 0] = times;
  if (one <= 0) return stored;
  // Noise must not make a wider forward look cheaper than a narrow one.
  let floor = 1;
  const costs = times.map((time) => {
    floor = Math.max(floor, time / one);
    return floor;
  });
  return { source: 'measured', positions, costs };
}

const SIZES = [1, 2, 3, 4, 8, 16];
const ROUNDS = 5;

function median(times: number[]): number {
  return times.sort((a, b) => a - b)[times.length >> 1] ?? 0;
}

function timed(forward: (positions: number) => void, count: number): number {
  const start = performance.now();
  forward(count);
  return performance.now() - start;
}
