/** Decides how far ahead a forward looks: where its window of masks ends. */
import { type CostCurve, costOf } from '../model/cost-curve.ts';

/** The window of masks that a forward predicts. */
export interface Width {
  /** Tokens per block. A step's block number counts in these blocks. */
  readonly blockLength: number;
  /**
   * @param from the first undecided offset
   * @param pending clean tokens that the same forward commits
   * @returns the offset after the window's last position, more than `from`
   */
  end(from: number, pending: number): number;
  /**
   * @param from the first mask
   * @returns the offset before which positions may be decided now
   */
  partEnd(from: number): number;
  /** Grid block of a completion offset. */
  blockOf(offset: number): number;
  /** Of `offered` drafts, `held` agreed with the causal predictions. Called after each verification. */
  observe(held: number, offered: number): void;
}

/** Blocks at multiples of their length, one after the other. */
export function blocks(blockLength: number): Width {
  return grid(blockLength, blockLength, 0);
}

/**
 * Blocks of the model's grid, each decided in parts from left to right.
 * @param blockLength Infinity for one block without end
 * @param part tokens; a divisor of the block length
 * @param phase position of completion offset 0 in its block
 */
export function grid(blockLength: number, part: number, phase: number): Width {
  const boundary = (from: number, length: number) => (Math.floor((from + phase) / length) + 1) * length - phase;
  return {
    blockLength,
    end: (from) => boundary(from, blockLength),
    partEnd: (from) => boundary(from, part),
    blockOf: (offset) => Math.floor((offset + phase) / blockLength),
    observe() {},
  };
}

/** A window of the next `blockLength` positions, off any grid. */
export function sliding(blockLength: number): Width {
  return { ...wholeWindow(blockLength), end: (from) => from + blockLength, observe() {} };
}

/** All positions of a window may be decided at once. Block numbers count in windows of the longest length. */
function wholeWindow(blockLength: number) {
  return {
    blockLength,
    partEnd: () => Number.POSITIVE_INFINITY,
    blockOf: (offset: number) => Math.floor(offset / blockLength),
  };
}

/** How often drafts hold. The requests of an engine share it, so a short request starts with the rate of earlier ones. */
export class Acceptance {
  #held: number;
  #offered: number;

  /** @param prior share of drafts expected to hold before any was seen, in (0, 1) */
  constructor(prior: number) {
    this.#held = PRIOR_WEIGHT * prior;
    this.#offered = PRIOR_WEIGHT;
  }

  /** Probability that one more draft holds. */
  get rate(): number {
    return this.#held / this.#offered;
  }

  observe(held: number, offered: number): void {
    this.#held = this.#held * MEMORY + held;
    this.#offered = this.#offered * MEMORY + offered;
  }
}

/** Weight of the prior, in drafts. */
const PRIOR_WEIGHT = 8;
/** Share of the counts that remains after one verification. */
const MEMORY = 0.97;
/** If a window would pay at this rate, a narrow one is tried now and then. */
const HOPEFUL = 0.95;
const WORTH_PROBING = 1.1;
const PROBE_EVERY = 64;
const PROBE_WIDTH = 3;

/**
 * The window that decodes the most tokens for the host's cost of a forward, given how often drafts have held. If no draft
 * can pay, the window is 1: block length 1.
 * @param longest window at most, positions
 */
export function adaptive(costs: CostCurve, acceptance: Acceptance, longest: number): Width {
  let forwards = 0;
  const probes = gain(costs, HOPEFUL, bestWindow(costs, HOPEFUL, longest)) >= WORTH_PROBING;
  return {
    ...wholeWindow(longest),
    end(from) {
      forwards += 1;
      const width = bestWindow(costs, acceptance.rate, longest);
      if (width === 1 && probes && forwards % PROBE_EVERY === 0) return from + Math.min(PROBE_WIDTH, longest);
      return from + width;
    },
    observe: (held, offered) => acceptance.observe(held, offered),
  };
}

/** Gain of a window at least: the cost curve is noisy and leaves out the head's rows. */
const WORTH_WIDENING = 1.1;

/** The window with the highest gain; 1 if no gain is high enough. */
export function bestWindow(costs: CostCurve, rate: number, longest: number): number {
  let best = 1;
  let highest = WORTH_WIDENING;
  for (let window = 2; window <= longest; window++) {
    const value = gain(costs, rate, window);
    if (value > highest) [best, highest] = [window, value];
  }
  return best;
}

/**
 * Tokens per unit of cost with a window of W positions, relative to one at a time, when each draft holds with
 * probability r given that those before it did.
 *
 * A window of W drafts k = W - 1 ids. A forward that checks k drafts gives 1 + sum r^i tokens. With probability r^k all
 * drafts hold, and the next forward has drafts again. Otherwise a forward without drafts comes first; it gives one token.
 */
export function gain(costs: CostCurve, rate: number, window: number): number {
  const drafts = window - 1;
  let held = 0;
  let all = 1;
  for (let i = 0; i < drafts; i++) {
    all *= rate;
    held += all;
  }
  const checking = costOf(costs, 1 + 2 * drafts);
  const drafting = costOf(costs, 1 + drafts);
  return (1 + held + (1 - all)) / (checking + (1 - all) * drafting);
}
