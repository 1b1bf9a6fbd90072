/** What is known of an n-gram. */
interface Ngram {
  /** Place after its last occurrence. */
  readonly place: number;
  /** Occurrences that have an id after them: 1, or 2 for more. */
  readonly times: 1 | 2;
  /** The last two were followed by the same id. */
  readonly same: boolean;
}

/** A place and, in the low bits, whether the n-gram stood before, followed by the same id or by another one. */
const BEFORE = 1;
const SAME = 2;
const PLACE = 4;

/** The n-grams of one length in a text that grows, in a hash table of a fixed size that is half empty at least. */
export class NgramTable {
  readonly #length: number;
  readonly #slots: Int32Array; // (power of two), 0: free

  /** @param capacity tokens of the text at most */
  constructor(length: number, capacity: number) {
    this.#length = length;
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(Math.max(2 * capacity, 16))));
  }

  /** Notes the n-gram before a place, and the id that stands there. */
  add(ids: Int32Array, place: number): void {
    if (place < this.#length) return;
    const slot = this.#slotOf(ids, place);
    const known = this.#slots[slot]!;
    const same = known !== 0 && ids[Math.floor(known / PLACE)] === ids[place];
    this.#slots[slot] = place * PLACE + (known === 0 ? 0 : BEFORE) + (same ? SAME : 0);
  }

  /** The n-gram before `end`; null where it did not stand before. */
  find(ids: Int32Array, end: number): Ngram | null {
    if (end < this.#length) return null;
    const known = this.#slots[this.#slotOf(ids, end)]!;
    if (known === 0) return null;
    return { place: Math.floor(known / PLACE), times: known & BEFORE ? 2 : 1, same: (known & SAME) !== 0 };
  }

  /** The slot of the n-gram before `end`: the one that has it, or a free one. */
  #slotOf(ids: Int32Array, end: number): number {
    const last = this.#slots.length - 1;
    let slot = hash(ids, end, this.#length) & last;
    while (this.#slots[slot] !== 0 && !this.#isSame(ids, Math.floor(this.#slots[slot]! / PLACE), end)) {
      slot = (slot + 1) & last;
    }
    return slot;
  }

  #isSame(ids: Int32Array, one: number, other: number): boolean {
    for (let i = 1; i <= this.#length; i++) if (ids[one - i] !== ids[other - i]) return false;
    return true;
  }
}

/** FNV-1a over whole ids, with the high bits mixed into the low ones. */
function hash(ids: Int32Array, end: number, length: number): number {
  let value = 0x811c9dc5;
  for (let at = end - length; at < end; at++) value = Math.imul(value ^ ids[at]!, 0x01000193);
  return value ^ (value >>> 15);
}
