import { type CostCurve, costOf } from '../../model/cost-curve.ts';

/** Share of the averages that one forward replaces. */
const WEIGHT = 0.05;
/** Weight of the curve as it was loaded, in squared rows. */
const PRIOR = 1;
/** Shorter forwards say more of the clock than of themselves, and where it stands still all take no time. */
const LEAST_MS = 1;
/** Bounds of what a row costs more than it was thought to: one pause of the host must not count as much as it lasts. */
const LEAST = -0.1;
const MOST = 0.5;

/**
 * A cost curve that follows the forwards as they are timed: each row beyond the first costs a little more or less than in
 * the loaded curve, the same for all, by least squares. That curve leaves out the head's rows, and the memory of a host
 * that others use is not always as fast as when the model was loaded.
 */
export class MeasuredCosts implements CostCurve {
  readonly source: CostCurve['source'];
  readonly positions: readonly number[]; // (N)
  readonly costs: number[]; // (N)
  readonly #loaded: CostCurve;
  /** Milliseconds of a forward of one row; 0 before any was timed. */
  #oneMs = 0;
  /** Averages over forwards of r more rows than one that cost e more than expected: of r e, and of r r. */
  #product = 0;
  #square = 0;

  /** @param loaded as it was measured or stored */
  constructor(loaded: CostCurve) {
    this.#loaded = loaded;
    this.source = loaded.source;
    this.positions = loaded.positions;
    this.costs = [...loaded.costs];
  }

  /** A forward of one request alone took so long. */
  observe(rows: number, ms: number): void {
    if (rows === 1) {
      const change = this.#oneMs === 0 ? ms : WEIGHT * Math.min(ms - this.#oneMs, this.#oneMs);
      this.#oneMs += change;
      return;
    }
    if (this.#oneMs < LEAST_MS) return;
    const more = rows - 1;
    const excess = between(LEAST * more, ms / this.#oneMs - costOf(this.#loaded, rows), MOST * more);
    this.#product += WEIGHT * (more * excess - this.#product);
    this.#square += WEIGHT * (more * more - this.#square);
    const perRow = this.#product / (this.#square + WEIGHT * PRIOR);
    for (const [i, cost] of this.#loaded.costs.entries()) {
      this.costs[i] = Math.max(cost + perRow * (this.positions[i]! - 1), 1);
    }
  }
}

function between(least: number, value: number, most: number): number {
  return Math.max(least, Math.min(value, most));
}
