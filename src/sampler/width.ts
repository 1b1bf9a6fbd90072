/** Decides how far ahead a forward looks: where its window of masks ends. */
import { type CostCurve, costOf } from '../model/cost-curve.ts';
import type { Canvas } from './canvas.ts';
import type { Acceptance } from './drafts/acceptance.ts';
import { type RowsOf, shifted } from './drafts/rows.ts';
import type { Load } from './scheduling/lane.ts';

/** The window of masks that a forward predicts. */
export interface Width {
  /** Tokens per block. A step's block number counts in these blocks. */
  readonly blockLength: number;
  /**
   * Writes drafts after the final text, or drops some that are there, before a forward is planned. With verification only.
   * @param final the first offset that is not final
   * @param room drafts that the forward may check at most
   */
  draft(canvas: Canvas, final: number, room: number, load: Load): void;
  /**
   * @param from the first undecided offset
   * @param pending clean tokens that the same forward commits
   * @param load absent: no other request shares the forward
   * @returns the offset after the window's last position, more than `from`
   */
  end(from: number, pending: number, load?: Load): number;
  /**
   * @param from the first mask
   * @returns the offset before which positions may be decided now
   */
  partEnd(from: number): number;
  /** Grid block of a completion offset. */
  blockOf(offset: number): number;
  /** A forward of so many rows took so long, with no other request in it. */
  took(rows: number, ms: number): void;
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
    draft() {},
    took() {},
    observe() {},
  };
}

/** A window of the next `blockLength` positions, off any grid. */
export function sliding(blockLength: number): Width {
  return { ...wholeWindow(blockLength), end: (from) => from + blockLength, observe() {} };
}

/** All positions of a window may be decided at once. Block numbers count in windows of the longest length. */
export function wholeWindow(blockLength: number) {
  return {
    blockLength,
    draft() {},
    took() {},
    partEnd: () => Number.POSITIVE_INFINITY,
    blockOf: (offset: number) => Math.floor(offset / blockLength),
  };
}

/** If a window would pay at this rate, a narrow one is tried now and then. */
const HOPEFUL = 0.95;
const PROBE_EVERY = 64;
const PROBE_WIDTH = 3;

/**
 * The window that decodes the most tokens for the host's cost of a forward, given how often drafts have held. If no draft
 * can pay, the window is 1: block length 1.
 * @param longest window at most, positions
 */
export function adaptive(costs: CostCurve, acceptance: Acceptance, longest: number, rowsOf: RowsOf = shifted): Width {
  let forwards = 0;
  return {
    ...wholeWindow(longest),
    end(from, _, load = ALONE) {
      forwards += 1;
      const width = bestWindow(costs, acceptance.rate, longest, load, rowsOf);
      if (width > 1 || forwards % PROBE_EVERY !== 0) return from + width;
      const hopeful = bestWindow(costs, HOPEFUL, longest, load, rowsOf);
      return from + (hopeful > 1 ? Math.min(PROBE_WIDTH, longest) : 1);
    },
    observe: (held, offered) => acceptance.observe(held, offered),
  };
}

/** Gain of a window at least, for a lone request: the cost curve is noisy and leaves out the head's rows. */
const WORTH_WIDENING = 1.1;
const ALONE: Load = { rows: 0, tokens: 0 };

/** The window with the highest gain; 1 if no gain is high enough. */
export function bestWindow(
  costs: CostCurve,
  rate: number,
  longest: number,
  load = ALONE,
  rowsOf: RowsOf = shifted,
): number {
  let best = 1;
  // What one request gains is a share of what the batch decodes.
  let highest = 1 + (WORTH_WIDENING - 1) / (load.tokens + 1);
  for (let window = 2; window <= longest; window++) {
    const value = gain(costs, rate, window, load, rowsOf);
    if (value > highest) [best, highest] = [window, value];
  }
  return best;
}

/**
 * Tokens of the batch per unit of its cost with a window of W positions, relative to one position, when each draft holds
 * with probability r given that those before it did.
 *
 * A window of W drafts k = W - 1 ids. A forward that checks k drafts gives 1 + sum r^i tokens. With probability r^k all
 * drafts hold, and the next forward has drafts again. Otherwise a forward without drafts comes first; it gives one token.
 */
export function gain(
  costs: CostCurve,
  rate: number,
  window: number,
  { rows, tokens }: Load = ALONE,
  rowsOf: RowsOf = shifted,
): number {
  const drafts = window - 1;
  let held = 0;
  let all = 1;
  for (let i = 0; i < drafts; i++) {
    all *= rate;
    held += all;
  }
  const checking = costOf(costs, rows + rowsOf(drafts, drafts));
  const drafting = costOf(costs, rows + rowsOf(0, drafts));
  const value = (tokens + 1 + held + (1 - all) * (tokens + 1)) / (checking + (1 - all) * drafting);
  return (value * costOf(costs, rows + rowsOf(0, 0))) / (tokens + 1);
}
