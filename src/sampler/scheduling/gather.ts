/** Chooses what the next forward runs. */
import type { ModelConfig } from '../../model/config.ts';
import { type CostCurve, costOf } from '../../model/cost-curve.ts';
import { type Cut, cut } from '../../model/forward/pieces.ts';
import type { DiffusionModel } from '../../model/model.ts';
import { MAX_ROWS } from '../../model/workspace.ts';
import type { Seat } from './seat.ts';

/** A part of a seat's work, in a forward. */
export interface Entry extends Cut {
  readonly seat: Seat;
}

/** Positions of work that is never cut for others: a token, and drafts with it. More is a prefill, or a wide window. */
const SHORT = 16;
/** A forward with a piece of a prefill costs at most so many times what its decoding rows cost alone. */
const STRETCH = 4;

/**
 * What waits, as one batch: first the requests that decode, the one whose last forward is longest ago first; then pieces of
 * long work in order of arrival. Sarathi-Serve (Agrawal et al. 2024, arXiv 2403.02310), section 4.
 * @param waiting seats with work
 * @returns one entry at least, if any seat waits
 */
export function gather(
  model: Pick<DiffusionModel, 'config' | 'batchRows' | 'costs'>,
  waiting: Iterable<Seat>,
): Entry[] {
  const seats = [...waiting].sort((a, b) => a.last - b.last || a.posted - b.posted);
  const oldest = seats[0];
  if (!oldest) return [];
  const { config, costs } = model;
  const most = model.batchRows;
  // A canvas that cannot be cut, or a runtime that takes one sequence.
  if (most === 0 || (oldest.size > most && !piece(config, oldest, most))) {
    return [piece(config, oldest, MAX_ROWS) ?? whole(oldest)];
  }
  const batch: Entry[] = [];
  let rows = 0;
  const take = (entry: Entry | null) => {
    if (!entry) return;
    batch.push(entry);
    rows += positions(entry);
  };
  for (const seat of seats) if (seat.size <= SHORT && rows + seat.size <= most) take(whole(seat));
  const long = seats.filter((seat) => seat.size > SHORT).sort((a, b) => a.posted - b.posted);
  const end = rows === 0 ? most : Math.min(most, stretched(costs, rows, most));
  for (const seat of long) {
    take(piece(config, seat, end - rows) ?? (seat.size <= most - rows ? wholeCanvas(config, seat) : null));
  }
  return batch;
}

/** Positions of an entry in its forward. */
export function positions({ piece }: Entry): number {
  return piece.clean.length + piece.block.length;
}

function whole(seat: Seat): Entry {
  return { seat, piece: seat.rest!, rest: null };
}

/** Work of which no piece can be run: nothing is committed under `full` context. */
function wholeCanvas({ contextAttention }: ModelConfig, seat: Seat): Entry | null {
  return contextAttention === 'full' ? whole(seat) : null;
}

function piece(config: ModelConfig, seat: Seat, most: number): Entry | null {
  const found = most > 0 ? cut(config, seat.rest!, seat.cache.length, most) : null;
  return found && { seat, ...found };
}

/** The positions at which a forward costs `STRETCH` times what `rows` cost; at most `most`. */
function stretched(costs: CostCurve, rows: number, most: number): number {
  const limit = STRETCH * costOf(costs, rows);
  let end = rows;
  while (end < most && costOf(costs, end + 1) <= limit) end++;
  return end;
}
