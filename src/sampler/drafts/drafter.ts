/** Where drafts come from. */

/** In the order in which a request names them. */
export const DRAFT_SOURCES = ['prediction', 'lookup', 'mask'] as const;
export type DraftSource = (typeof DRAFT_SOURCES)[number];

/** Ids that may come next. */
export interface Draft {
  readonly ids: Int32Array; // (D), D > 0
  /** Probability that each holds, given that those before it do. */
  readonly rates: readonly number[]; // (D)
}

/** Proposes ids from somewhere else than masks: each costs one row, when it is checked. */
export interface Drafter {
  readonly source: DraftSource;
  /** Takes ids that have become final, in order. */
  push(ids: Int32Array): void;
  /** What may follow the final ids. @param most ids at most, 1 or more */
  propose(most: number): Draft | null;
  /** Of the last proposal's ids the first `offered` were checked, and the first `held` of them agreed. */
  observe(held: number, offered: number): void;
}
