/** Where the rows of several sequences lie in one forward. */
import { MAX_ROWS } from '../workspace.ts';

const NO_MASKS = new Int32Array();

/** The rows of one sequence. */
export interface SequenceRows {
  readonly ids: Int32Array; // (T)
  /** Position of the first. */
  readonly start: number;
  /** How many positions, from 0, each attends to. */
  readonly visible: Int32Array; // (T)
  /** Of the sequence, as many as it reads. */
  readonly pages: Uint32Array;
  /** The last M rows are masks in the place of a token: at position `start + place`. Absent: none. */
  readonly masks?: Int32Array; // (M) places
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
  /** A mask in the place of a token: the row whose KV belongs there, or `NOBODY`. Absent: rows in their own places. */
  readonly instead?: number;
}

/** Nothing of the same forward has its KV in the place of a mask. */
export const NOBODY = -1;

/** Rows that go through a layer together. */
export interface Tile {
  readonly first: number;
  readonly rows: number;
  readonly spans: readonly RowSpan[];
}

/**
 * One span for each sequence, and one for each of its masks, one after the other.
 * @param tables address of the page table, by sequence
 */
export function spansOf(sequences: readonly SequenceRows[], tables: readonly number[]): RowSpan[] {
  let row = 0;
  return sequences.flatMap(({ ids, start, masks = NO_MASKS }, i) => {
    const pages = tables[i]!;
    const first = row;
    const rows = ids.length - masks.length;
    row += ids.length;
    const spanOf = (place: number, j: number): RowSpan => {
      const instead = place < rows ? first + place : NOBODY;
      return { row: first + rows + j, rows: 1, start: start + place, pages, instead };
    };
    return [{ row: first, rows, start, pages }, ...Array.from(masks, spanOf)];
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
  return spans.flatMap((span) => {
    const { row, rows, start } = span;
    const from = Math.max(row, first);
    const to = Math.min(row + rows, end);
    return from < to ? [{ ...span, row: from, rows: to - from, start: start + from - row }] : [];
  });
}
