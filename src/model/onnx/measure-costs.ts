import { type CostCurve, PROPORTIONAL } from '../cost-curve.ts';

const SIZES = [1, 2, 4, 8, 16, 32];
/** The first of a size compiles its shaders. */
const WARM_UP = 1;
const ROUNDS = 3;
/** Milliseconds for everything after the first round of a size: a software adapter takes seconds for a forward. */
const BUDGET = 2000;

/**
 * Times whole forwards of a few sizes.
 * @param forward runs that many positions
 * @param most positions that it takes
 */
export async function measureForwards(forward: (positions: number) => Promise<void>, most: number): Promise<CostCurve> {
  const positions = SIZES.filter((size) => size <= most);
  const best: number[] = [];
  let spent = 0;
  for (const count of positions) {
    for (let i = 0; i < WARM_UP; i++) await forward(count);
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < ROUNDS && (i === 0 || spent < BUDGET); i++) {
      const start = performance.now();
      await forward(count);
      const elapsed = performance.now() - start;
      spent += elapsed;
      least = Math.min(least, elapsed);
    }
    best.push(least);
  }
  const [one = 0] = best;
  // A clock that stands still measured nothing.
  if (one <= 0) return PROPORTIONAL;
  // Noise must not make a wider forward look cheaper than a narrow one.
  let floor = 1;
  const costs = best.map((time) => {
    floor = Math.max(floor, time / one);
    return floor;
  });
  return { source: 'measured', positions, costs };
}
