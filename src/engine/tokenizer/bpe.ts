/**
 * Byte-pair encoding over ids in typed arrays. The merge table of a 49,152-entry vocabulary takes about 1 MB here;
 * the same table keyed by strings takes ten times that, in an isolate that has 128 MB for everything.
 */

/** Merges in order of rank: `left[r]` followed by `right[r]` becomes `merged[r]`. */
export interface Merges {
  readonly left: Int32Array; // (R)
  readonly right: Int32Array; // (R)
  readonly merged: Int32Array; // (R)
}

/** The end of a linked list, and the id of a symbol that was merged away. */
const NONE = -1;

export class BytePairEncoder {
  readonly #merges: Merges;
  /** Open-addressed hash of pairs: rank + 1, or 0 for empty. */
  readonly #slots: Int32Array; // (a power of two > 2 R)

  constructor(merges: Merges) {
    this.#merges = merges;
    const count = merges.left.length;
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * count + 2)));
    for (let rank = 0; rank < count; rank++) {
      this.#slots[this.#slot(merges.left[rank]!, merges.right[rank]!)] = rank + 1;
    }
  }

  /**
   * Merges adjacent symbols, lowest rank first and leftmost of equals, until no pair has a rank.
   * O(S log S), so one very long word does not stall the isolate.
   * @param symbols (S) ids of single bytes; overwritten
   * @returns the merged ids, a view into `symbols`
   */
  merge(symbols: Int32Array): Int32Array {
    const count = symbols.length;
    if (count < 2) return symbols;
    const { left, right, merged } = this.#merges;
    const next = Int32Array.from({ length: count }, (_, i) => (i + 1 < count ? i + 1 : NONE)); // (S)
    const previous = Int32Array.from({ length: count }, (_, i) => i - 1); // (S)
    const queue = new PairQueue(count);
    const offer = (at: number) => {
      const after = next[at]!;
      const rank = after === NONE ? NONE : this.#rank(symbols[at]!, symbols[after]!);
      if (rank !== NONE) queue.push(rank, at);
    };
    for (let at = 0; at + 1 < count; at++) offer(at);
    while (queue.pop()) {
      const { rank, at } = queue;
      const after = next[at]!;
      // Either side may have been merged since the pair was queued.
      if (after === NONE || symbols[at] !== left[rank] || symbols[after] !== right[rank]) continue;
      symbols[at] = merged[rank]!;
      symbols[after] = NONE;
      const following = next[after]!;
      next[at] = following;
      if (following !== NONE) previous[following] = at;
      offer(at);
      if (previous[at] !== NONE) offer(previous[at]!);
    }
    let length = 0;
    for (let at = 0; at !== NONE; at = next[at]!) symbols[length++] = symbols[at]!;
    return symbols.subarray(0, length);
  }

  #rank(a: number, b: number): number {
    return this.#slots[this.#slot(a, b)]! - 1;
  }

  /** The slot that holds the pair, or the empty one where it would go. */
  #slot(a: number, b: number): number {
    const last = this.#slots.length - 1;
    let slot = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b);
    slot = (slot ^ (slot >>> 15)) & last;
    for (;;) {
      const rank = this.#slots[slot]! - 1;
      if (rank < 0 || (this.#merges.left[rank] === a && this.#merges.right[rank] === b)) return slot;
      slot = (slot + 1) & last;
    }
  }
}

/** A binary heap of (rank, position), smallest first. */
class PairQueue {
  rank = 0;
  at = 0;
  readonly #stride: number;
  readonly #keys: number[] = [];

  /** @param stride more than any position */
  constructor(stride: number) {
    this.#stride = stride;
  }

  push(rank: number, at: number): void {
    const keys = this.#keys;
    const key = rank * this.#stride + at;
    let hole = keys.push(key) - 1;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (keys[parent]! <= key) break;
      keys[hole] = keys[parent]!;
      hole = parent;
    }
    keys[hole] = key;
  }

  /** Takes the smallest pair into `rank` and `at`; false when there is none. */
  pop(): boolean {
    const keys = this.#keys;
    if (keys.length === 0) return false;
    const smallest = keys[0]!;
    const key = keys.pop()!;
    if (keys.length > 0) {
      let hole = 0;
      for (let child = 1; child < keys.length; child = 2 * hole + 1) {
        if (child + 1 < keys.length && keys[child + 1]! < keys[child]!) child += 1;
        if (keys[child]! >= key) break;
        keys[hole] = keys[child]!;
        hole = child;
      }
      keys[hole] = key;
    }
    this.rank = Math.floor(smallest / this.#stride);
    this.at = smallest % this.#stride;
    return true;
  }
}
