/** Drafts what followed the last few tokens when they stood in the text before. */
import { AcceptanceTable } from './acceptance.ts';
import type { Draft, Drafter } from './drafter.ts';
import { NgramTable } from './ngram-table.ts';

/** Tokens of the longest n-grams that are remembered. */
const LONGEST = 4;
/** A match is not compared further. */
const LONGEST_MATCH = 16;

/**
 * Chances of a draft by what followed the n-gram before: the same id the last two times, or another one, or only once
 * anything. Each row is for a length of the match, from 0 on. Counted in the default model's greedy text.
 */
const PRIORS = {
  once: [0.2, 0.25, 0.65, 0.66, 0.72, 0.83, 0.93],
  same: [0.3, 0.58, 0.88, 0.9, 0.93, 0.96, 0.97],
  other: [0.1, 0.15, 0.35, 0.2, 0.35, 0.35, 0.35],
} as const;

const FOLLOWED = ['once', 'same', 'other'] as const;
type Followed = (typeof FOLLOWED)[number];

/** By `rowOf`. */
export const LOOKUP_PRIORS: readonly number[] = Array.from(
  { length: (LONGEST_MATCH + 1) * FOLLOWED.length },
  (_, row) => {
    const priors = PRIORS[FOLLOWED[row % FOLLOWED.length]!];
    return priors[Math.min(Math.floor(row / FOLLOWED.length), priors.length - 1)]!;
  },
);

function rowOf(match: number, followed: Followed): number {
  return Math.min(match, LONGEST_MATCH) * FOLLOWED.length + FOLLOWED.indexOf(followed);
}

/**
 * The last place of each n-gram of 1 to 4 tokens: constant work a token, and 32 to 64 bytes of memory. Prompt lookup
 * decoding (Saxena 2023), where the longest match counts: of the places that the tables name, and of the one that follows
 * the last draft. On the default model's greedy text that finds as many drafts that hold as a search for the longest match
 * does, to 3 in 100.
 */
export class LookupDrafts implements Drafter {
  readonly source = 'lookup';
  readonly #capacity: number;
  readonly #before: Int32Array;
  readonly #acceptance: AcceptanceTable;
  /** The text, and the last draft after it. */
  #ids: Int32Array | null = null; // (capacity)
  #length = 0;
  /** Of 1 to LONGEST tokens. */
  #tables: readonly NgramTable[] = [];
  /** Place of the last draft, and the text's length then. */
  #place = 0;
  #placedAt = 0;
  /** Rows of the table of rates for the last draft. */
  #rows: readonly number[] = [];

  /**
   * @param before (P) prompt, suffix and other files, as they were run
   * @param maxTokens new tokens at most
   * @param acceptance of all requests, with `LOOKUP_PRIORS`
   */
  constructor(before: Int32Array, maxTokens: number, acceptance: AcceptanceTable) {
    this.#before = before;
    this.#capacity = before.length + maxTokens;
    this.#acceptance = new AcceptanceTable(acceptance);
  }

  push(ids: Int32Array): void {
    // A request that is refused has read nothing.
    if (!this.#ids) this.#begin();
    this.#append(ids);
  }

  propose(most: number): Draft | null {
    const ids = this.#ids;
    if (!ids) return null;
    const { place, match } = this.#find(ids);
    if (match === 0) return null;
    [this.#place, this.#placedAt] = [place, this.#length];
    // A text that repeats a short piece goes on with the draft's own beginning.
    const period = this.#length - place;
    const count = Math.min(most, this.#capacity - this.#length);
    if (count === 0) return null;
    const drafted = Int32Array.from({ length: count }, (_, i) => ids[place + (i % period)]!);
    ids.set(drafted, this.#length);
    this.#rows = Array.from(drafted, (_, i) => rowOf(match + i, this.#followed(ids, match + i, this.#length + i)));
    return { ids: drafted, rates: this.#rows.map((row) => this.#acceptance.rate(row)) };
  }

  observe(held: number, offered: number): void {
    for (let i = 0; i < offered; i++) this.#acceptance.observe(this.#rows[i]!, i < held);
  }

  #begin(): void {
    this.#ids = new Int32Array(this.#capacity);
    this.#tables = Array.from({ length: LONGEST }, (_, i) => new NgramTable(i + 1, this.#capacity));
    this.#append(this.#before);
  }

  #append(more: Int32Array): void {
    const ids = this.#ids!;
    for (const id of more.subarray(0, this.#capacity - this.#length)) {
      ids[this.#length] = id;
      // The tokens before this place have something after them now.
      for (const table of this.#tables) table.add(ids, this.#length);
      this.#length += 1;
    }
  }

  /** The place after the longest match; of equals the last. */
  #find(ids: Int32Array) {
    const end = this.#length;
    let found = { place: 0, match: 0 };
    const consider = (place: number) => {
      if (place <= 0 || place >= end) return;
      let match = 0;
      while (match < LONGEST_MATCH && match < place && ids[place - 1 - match] === ids[end - 1 - match]) match++;
      if (match > found.match || (match === found.match && place > found.place)) found = { place, match };
    };
    consider(this.#place === 0 ? 0 : this.#place + end - this.#placedAt);
    for (const table of this.#tables) consider(table.find(ids, end)?.place ?? -1);
    return found;
  }

  /** What came after the tokens before a place, as far as they are known to stand in the text. */
  #followed(ids: Int32Array, match: number, end: number): Followed {
    const known = this.#tables[Math.min(match, LONGEST) - 1]!.find(ids, end);
    if (!known || known.times === 1) return 'once';
    return known.same ? 'same' : 'other';
  }
}
