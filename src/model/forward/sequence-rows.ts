/** Where the rows of several sequences lie in one forward. */
import { MAX_ROWS } from '../workspace.ts';

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
interface RowSpan {
  /** Row of the forward that it begins with, and how many it has. */
  readonly row: number;
  readonly rows: number;
  /** Position of the first. */
  readonly start: number;
  /** Address of the sequence's page table. */
  readonly pages: number;
}

/** Rows that go through a layer together. */
export interface Tile {
  readonly first: number;
  readonly rows: number;
  readonly spans: readonly RowSpan[];
}

/** One span for each sequence, one after the other. @param tables address of its page table, by sequence */
export function spansOf(sequences: readonly SequenceRows[], tables: readonly number[]): RowSpan[] {
  let row = 0;
  return sequences.map(({ ids, start }, i) => {
    const span = { row, rows: ids.length, start, pages: tables[i]! };
    row += ids.length;
    return span;
  });
}

/** Rows `from` to before `end`, in tiles that end at multiples of MAX_ROWS. */
export function tilesOf(spans: readonly RowSpan[], from: number, end: number): Tile[] {
  const tiles: Tile[] = [];
  for (let first = from; first < end; ) {
    const last = Math.min(first - (first % MAX_ROWS) + MAX_ROWS, end);
    tiles.push({ first, rows: last - first, spans: spansWithin(spans, first, last) });
    first = last;
  }
  return tiles;
}

function spansWithin(spans: readonly RowSpan[], first: number, end: number): RowSpan[] {
  return spans.flatMap(({ row, rows, start, pages }) => {
    const from = Math.max(row, first);
    const to = Math.min(row + rows, end);
    return from < to ? [{ row: from, rows: to - from, start: start + from - row, pages }] : [];
  });
}
