import { type CostCurve, costOf } from '../../model/cost-curve.ts';

/** Share of an average that one forward replaces. */
const WEIGHT = 0.05;
/** Shorter forwards say more of the clock than of themselves, and where it stands still all take no time. */
const LEAST_MS = 1;
/** Bounds of the factor. */
const LEAST = 0.5;
const MOST = 4;

/**
 * A cost curve that follows the forwards as they are timed: what rows cost beyond the first is multiplied by one factor.
 * The curve that a model measures at load leaves out the head's rows, and the memory of a host that others use is not always
 * as fast as then.
 */
export class MeasuredCosts implements CostCurve {
  readonly source: CostCurve['source'];
  readonly positions: readonly number[]; // (N)
  readonly costs: number[]; // (N)
  readonly #loaded: CostCurve;
  #factor = 1;
  /** Milliseconds of a forward of one row; 0 before any was timed. */
  #oneMs = 0;

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
      this.#oneMs = this.#oneMs === 0 ? ms : this.#oneMs + WEIGHT * clipped(ms - this.#oneMs, this.#oneMs);
      return;
    }
    const expected = costOf(this.#loaded, rows) - 1;
    if (this.#oneMs < LEAST_MS || expected <= 0) return;
    const factor = (ms / this.#oneMs - 1) / expected;
    this.#factor = bounded(this.#factor + WEIGHT * clipped(factor - this.#factor, this.#factor));
    for (const [i, cost] of this.#loaded.costs.entries()) this.costs[i] = 1 + this.#factor * (cost - 1);
  }
}

/** One pause of the host must not count as much as it lasts. */
function clipped(difference: number, value: number): number {
  return Math.max(-value, Math.min(difference, value));
}

function bounded(factor: number): number {
  return Math.max(LEAST, Math.min(factor, MOST));
}
