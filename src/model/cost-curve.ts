/** Cost of a forward of M positions on a host, relative to one position. */
export interface CostCurve {
  /** `measured` on this host at load; `stored` where the clock stands still during computation. */
  readonly source: 'measured' | 'stored';
  /** Ascending, from 1. */
  readonly positions: readonly number[]; // (N)
  /** The first is 1. */
  readonly costs: readonly number[]; // (N)
}

/** Cost grows linearly with positions: for runtimes whose positions share nothing. */
export const PROPORTIONAL: CostCurve = { source: 'stored', positions: [1], costs: [1] };

/** Cost of a forward of `positions` (1 or more): linear between the measured points, proportional past the last. */
export function costOf({ positions: at, costs }: CostCurve, positions: number): number {
  // No closures and no pairs: a window is chosen from dozens of costs, at every step of every request.
  let above = 0;
  while (above < at.length && at[above]! < positions) above++;
  if (above === at.length) return (costs.at(-1)! * positions) / at.at(-1)!;
  if (above === 0) return costs[0]!;
  const left = at[above - 1]!;
  const low = costs[above - 1]!;
  return low + ((costs[above]! - low) * (positions - left)) / (at[above]! - left);
}
