/** Drafts what followed the last few tokens when they stood in the text before. */
import { AcceptanceTable } from './acceptance.ts';
import type { Draft, Drafter } from './drafter.ts';

/** Tokens of the n-grams that are remembered. A shorter match holds too seldom. */
const SHORTEST = 2;
const LONGEST = 4;
/** A match is not compared further. */
const LONGEST_MATCH = 16;

/**
 * By the length of the match. On the default model's greedy text a match of 2 tokens holds in 6 of 10 cases, one of 12 in
 * 95 of 100.
 */
export const LOOKUP_PRIORS: readonly number[] = Array.from({ length: LONGEST_MATCH + 1 }, (_, match) =>
  Math.min(0.55 + match * 0.04, 0.95),
);

/**
 * The last place of each n-gram of 4, 3 and 2 tokens, in hash tables that are half empty at most: constant work a token, and
 * 24 to 48 bytes of memory. Prompt lookup decoding (Saxena 2023), where the longest match counts: of the places that the
 * tables name, and of the one that follows the last draft. On the default model's greedy text that finds as many drafts
 * that hold as a search for the longest match does, to 2 in 100.
 */
export class LookupDrafts implements Drafter {
  readonly source = 'lookup';
  readonly #capacity: number;
  readonly #before: Int32Array;
  readonly #acceptance: AcceptanceTable;
  #ids: Int32Array | null = null; // (capacity)
  #length = 0;
  /** Place after the last occurrence of an n-gram; 0: free. */
  #tables: readonly Int32Array[] = []; // (LONGEST - SHORTEST + 1, power of two)
  /** Place of the last draft, and the text's length then. */
  #place = 0;
  #placedAt = 0;
  #match = 0;

  /**
   * @param before (P) prompt, suffix and other files, as they were run
   * @param maxTokens new tokens at most
   * @param acceptance of all requests, by the length of the match
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
    if (match < SHORTEST) return null;
    [this.#place, this.#placedAt, this.#match] = [place, this.#length, match];
    // A text that repeats a short piece goes on with the draft's own beginning.
    const period = this.#length - place;
    const drafted = Int32Array.from({ length: most }, (_, i) => ids[place + (i % period)]!);
    return { ids: drafted, rates: Array.from(drafted, (_, i) => this.#acceptance.rate(match + i)) };
  }

  observe(held: number, offered: number): void {
    for (let i = 0; i < offered; i++) this.#acceptance.observe(this.#match + i, i < held);
  }

  #begin(): void {
    this.#ids = new Int32Array(this.#capacity);
    const size = 2 ** Math.ceil(Math.log2(Math.max(2 * this.#capacity, 16)));
    this.#tables = Array.from({ length: LONGEST - SHORTEST + 1 }, () => new Int32Array(size));
    this.#append(this.#before);
  }

  #append(more: Int32Array): void {
    const ids = this.#ids!;
    // The tables stay half empty.
    const room = this.#capacity - this.#length;
    for (const id of more.subarray(0, room)) {
      // The tokens before this place have something after them now.
      for (const [i, table] of this.#tables.entries()) {
        const length = SHORTEST + i;
        if (this.#length >= length) table[slotOf(table, ids, this.#length, length)] = this.#length;
      }
      ids[this.#length++] = id;
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
    for (const [i, table] of this.#tables.entries()) {
      const length = SHORTEST + i;
      if (end >= length) consider(table[slotOf(table, ids, end, length)]!);
    }
    return found;
  }
}

/** The slot of the n-gram of `length` ids before `end`: the one that has it, or a free one. */
function slotOf(table: Int32Array, ids: Int32Array, end: number, length: number): number {
  let slot = hash(ids, end, length) & (table.length - 1);
  while (table[slot] !== 0 && !isSame(ids, table[slot]!, end, length)) slot = (slot + 1) & (table.length - 1);
  return slot;
}

function isSame(ids: Int32Array, one: number, other: number, length: number): boolean {
  for (let i = 1; i <= length; i++) if (ids[one - i] !== ids[other - i]) return false;
  return true;
}

/** FNV-1a over whole ids, with the high bits mixed into the low ones. */
function hash(ids: Int32Array, end: number, length: number): number {
  let value = 0x811c9dc5;
  for (let at = end - length; at < end; at++) value = Math.imul(value ^ ids[at]!, 0x01000193);
  return value ^ (value >>> 15);
}
