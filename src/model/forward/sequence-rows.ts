/** Where the rows of several sequences lie in one forward. */

/** The rows of one sequence. */
export interface SequenceRows {
  readonly ids: Int32Array; // (T)
  /** Position of the first. */
  readonly start: number;
  /** How many positions, from 0, each attends to. */
  readonly visible: Int32Array; // (T)
  /** Of the sequence, as many as it reads. */
  readonly pages: Uint32Array;
}

/** Rows of one sequence that lie together in a tile. */
export interface RowSpan {
  /** Row of the forward that it begins with, and how many it has. */
  readonly row: number;
  readonly rows: number;
  /** Position of the first. */
  readonly start: number;
  readonly visible: Int32Array; // (rows)
  /** Address of the sequence's page table. */
  readonly pages: number;
}

/** One span for each sequence, one after the other. @param tables address of its page table, by sequence */
export function spansOf(sequences: readonly SequenceRows[], tables: readonly number[]): RowSpan[] {
  let row = 0;
  return sequences.map(({ ids, start, visible }, i) => {
    const span = { row, rows: ids.length, start, visible, pages: tables[i]! };
    row += ids.length;
    return span;
  });
}

/** The parts of `spans` in rows `first` to before `end`. */
export function spansWithin(spans: readonly RowSpan[], first: number, end: number): RowSpan[] {
  const parts: RowSpan[] = [];
  for (const { row, rows, start, visible, pages } of spans) {
    const from = Math.max(row, first);
    const to = Math.min(row + rows, end);
    if (from >= to) continue;
    const skipped = from - row;
    parts.push({
      row: from,
      rows: to - from,
      start: start + skipped,
      visible: visible.subarray(skipped, to - row),
      pages,
    });
  }
  return parts;
}
