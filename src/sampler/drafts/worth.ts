/** How many drafts are worth their rows, in the batch as it stands. */
import { type CostCurve, costOf } from '../../model/cost-curve.ts';
import type { Load } from '../scheduling/lane.ts';
import { type RowsOf, shifted } from './rows.ts';

/**
 * Tokens that drafts must gain beyond the cost of their rows. The cost curve is noisy and leaves out the head's rows; a
 * tenth of a token is a tenth of what a lone request decodes without drafts.
 */
const WORTH = 0.1;

/** A number of drafts to check. */
export interface Worth {
  /** 0: none. */
  readonly count: number;
  /** Tokens of the whole batch per unit of its cost. */
  readonly ratio: number;
  /** Probability that all of them hold. */
  readonly allHold: number;
}

/**
 * The number of drafts that makes the most tokens for the cost of the batch: (A + t) / C(R + r), with A tokens of the
 * others in R rows, and this request's 1 + D rows, which give one token and those of the drafts that hold.
 * @param rates probability that each draft holds, given that those before it do (D)
 */
export function worthChecking(costs: CostCurve, load: Load, rates: readonly number[], rowsOf: RowsOf = shifted): Worth {
  const tokens = load.tokens + 1;
  const alone = costOf(costs, load.rows + rowsOf(0, 0));
  const ratio = tokens / alone;
  let best: Worth = { count: 0, ratio, allHold: 1 };
  let allHold = 1;
  let gained = 0;
  for (const [i, rate] of rates.entries()) {
    allHold *= rate;
    gained += allHold;
    const cost = costOf(costs, load.rows + rowsOf(i + 1, 0));
    const value = (tokens + gained) / cost;
    if (value > best.ratio && gained - ratio * (cost - alone) >= WORTH) best = { count: i + 1, ratio: value, allHold };
  }
  return best;
}

/**
 * Masks to predict after checked drafts. They give drafts for the next forward, if all that are checked now hold.
 * @param checked what the same forward checks
 * @param rate probability that a mask's draft is used and holds, given those before it
 * @param most masks
 */
export function worthPredicting(
  costs: CostCurve,
  load: Load,
  { count, ratio, allHold }: Worth,
  rate: number,
  most: number,
  rowsOf: RowsOf = shifted,
): number {
  const cost = (drafts: number, masks: number) => costOf(costs, load.rows + rowsOf(drafts, masks));
  let best = 0;
  let highest = WORTH;
  let holds = allHold;
  let gained = 0;
  for (let masks = 1; masks <= most; masks++) {
    holds *= rate;
    gained += holds;
    const making = cost(count, masks) - cost(count, 0);
    const checking = cost(masks, 0) - cost(0, 0);
    const value = gained - ratio * (making + allHold * checking);
    if (value > highest) [best, highest] = [masks, value];
  }
  return best;
}
