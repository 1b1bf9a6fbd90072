/** How often drafts hold: learned while they are checked. */

/** Weight of the prior, in drafts. */
const PRIOR_WEIGHT = 8;
/** Share of the counts that remains after one verification. */
const MEMORY = 0.97;

/** One rate. A request's has its engine's as prior, so that a short request starts with the rate of earlier ones. */
export class Acceptance {
  readonly #engine: Acceptance | null;
  #held: number;
  #offered: number;

  /** @param prior share of drafts expected to hold before any was seen, in (0, 1); or the rate of all requests, which learns too */
  constructor(prior: number | Acceptance) {
    this.#engine = typeof prior === 'number' ? null : prior;
    this.#held = typeof prior === 'number' ? PRIOR_WEIGHT * prior : 0;
    this.#offered = typeof prior === 'number' ? PRIOR_WEIGHT : 0;
  }

  /** Probability that one more draft holds. */
  get rate(): number {
    if (!this.#engine) return this.#held / this.#offered;
    return (PRIOR_WEIGHT * this.#engine.rate + this.#held) / (PRIOR_WEIGHT + this.#offered);
  }

  observe(held: number, offered: number): void {
    this.#held = this.#held * MEMORY + held;
    this.#offered = this.#offered * MEMORY + offered;
    this.#engine?.observe(held, offered);
  }
}

/** Rates by a number that says how good a draft is: the last one stands for all above it. */
export class AcceptanceTable {
  readonly #rows: readonly Acceptance[];

  /** @param priors one for each row, or the table of all requests */
  constructor(priors: readonly number[] | AcceptanceTable) {
    const rows = priors instanceof AcceptanceTable ? priors.#rows : priors;
    this.#rows = rows.map((prior) => new Acceptance(prior));
  }

  rate(row: number): number {
    return this.#at(row).rate;
  }

  observe(row: number, held: boolean): void {
    this.#at(row).observe(held ? 1 : 0, 1);
  }

  #at(row: number): Acceptance {
    return this.#rows[Math.min(row, this.#rows.length - 1)]!;
  }
}
