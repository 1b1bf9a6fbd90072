/** Chooses what the next forward runs. */
import type { ModelConfig } from '../../model/config.ts';
import { type CostCurve, costOf } from '../../model/cost-curve.ts';
import { type Cut, cut } from '../../model/forward/pieces.ts';
import type { DiffusionModel } from '../../model/model.ts';
import { MAX_ROWS } from '../../model/workspace.ts';
import type { Memory } from './memory.ts';
import type { Seat } from './seat.ts';

/** A part of a seat's work, in a forward. */
export interface Entry extends Cut {
  readonly seat: Seat;
}

/** Positions of work that is never cut for others: a token, and drafts with it. More is a prefill, or a wide window. */
const SHORT = 16;
/** A forward with a piece of a prefill costs at most so many times what its decoding rows cost alone. */
const STRETCH = 4;
/** The same where several clients have work: a client's prompts hold up its own streams more than those of others. */
const STRETCH_OF_OTHERS = 2;

/**
 * What waits, as one batch: first the requests that decode, the one whose last forward is longest ago first; then pieces of
 * long work, clients by turns, and of one client in order of arrival. Sarathi-Serve (Agrawal et al. 2024, arXiv 2403.02310),
 * section 4.
 * @param waiting seats with work
 * @returns empty if all have to wait for memory
 */
export function gather(
  model: Pick<DiffusionModel, 'config' | 'batchRows' | 'costs'>,
  waiting: Iterable<Seat>,
  memory: Memory,
): Entry[] {
  const seats = [...waiting].sort((a, b) => a.last - b.last || a.posted - b.posted);
  const most = model.batchRows;
  const [oldest] = seats;
  // One sequence where the runtime takes one, or where a canvas fills a forward.
  if (oldest && (most === 0 || isWhole(model.config, oldest, most))) {
    const alone = new Batch(model, memory);
    alone.add(oldest, MAX_ROWS);
    if (most === 0 || alone.rows > 0) return alone.entries;
  }
  const batch = new Batch(model, memory);
  const isShort = (seat: Seat) => seat.size <= SHORT && !seat.cache.suspended;
  for (const seat of seats) if (isShort(seat)) batch.add(seat, most);
  const long = byTurns(seats.filter((seat) => !isShort(seat)));
  const stretch = new Set(seats.map(({ client }) => client)).size > 1 ? STRETCH_OF_OTHERS : STRETCH;
  const end = batch.rows === 0 ? most : stretched(model.costs, batch.rows, most, stretch);
  for (const seat of long) batch.add(seat, end);
  return batch.entries;
}

/** Whether work has more positions than a batch, and cannot be cut. */
function isWhole(config: ModelConfig, seat: Seat, most: number): boolean {
  return seat.size > most && cut(config, seat.work, seat.cache.length, most) === null;
}

class Batch {
  readonly entries: Entry[] = [];
  rows = 0;
  readonly #config: ModelConfig;
  readonly #memory: Memory;
  readonly #seats = new Set<Seat>();

  constructor({ config }: Pick<DiffusionModel, 'config'>, memory: Memory) {
    this.#config = config;
    this.#memory = memory;
  }

  /** Adds as much of the seat's work as ends at row `end`, if there is memory for it. Alone, it may go past the end. */
  add(seat: Seat, end: number): void {
    const most = end - this.rows;
    if (most <= 0) return;
    if (seat.cache.suspended && !this.#memory.reserve(seat, Math.min(seat.size, most), this.#seats)) return;
    const found = cut(this.#config, seat.work, seat.cache.length, most);
    const whole = this.rows === 0 && end === MAX_ROWS ? { piece: seat.work, rest: null } : null;
    const entry = found ?? whole;
    if (!entry) return;
    // Work under full context reads KV of an earlier forward, after its own positions.
    const ahead = entry.piece.ask.ahead ?? 0;
    if (!this.#memory.reserve(seat, positions(entry) + ahead, this.#seats)) return;
    this.entries.push({ seat, ...entry });
    this.#seats.add(seat);
    this.rows += positions(entry);
  }
}

/** Positions of an entry in its forward. */
export function positions({ piece }: Pick<Entry, 'piece'>): number {
  return piece.clean.length + piece.block.length;
}

/** The client whose long work ran longest ago goes first. */
function byTurns(long: readonly Seat[]): Seat[] {
  const last = new Map<string, number>();
  for (const { client, last: own } of long) last.set(client, Math.max(last.get(client) ?? own, own));
  return long.toSorted((a, b) => last.get(a.client)! - last.get(b.client)! || a.posted - b.posted);
}

/** The positions at which a forward costs `stretch` times what `rows` cost; at most `most`. */
function stretched(costs: CostCurve, rows: number, most: number, stretch: number): number {
  const limit = stretch * costOf(costs, rows);
  let end = rows;
  while (end < most && costOf(costs, end + 1) <= limit) end++;
  return end;
}
