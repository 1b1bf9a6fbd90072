/** Chooses what the next forward runs. */
import type { ModelConfig } from '../../model/config.ts';
import { type CostCurve, costOf } from '../../model/cost-curve.ts';
import { type Cut, cut, positionsOf } from '../../model/forward/pieces.ts';
import type { DiffusionModel, SequenceForward } from '../../model/model.ts';
import type { Memory } from './memory.ts';
import type { Seat } from './seat.ts';

/** A part of a seat's work, in a forward. */
export interface Entry extends Cut {
  readonly seat: Seat;
}

/**
 * Positions of work that is never cut for others: a token, and drafts with it. More is a prefill, or a wide window; or drafts
 * that masks check, which cannot be cut.
 */
const SHORT = 16;
// Prefills lengthen a forward. The following figures are costs, as multiples of the cost of its decoding rows alone.
/** One client: what its prefills may add, if as many of its requests wait for a prefill as decode. */
const STRETCH = 3;
/** Several clients: the whole forward, with a prefill of a client that decodes already. */
const STRETCH_OF_MANY = 2;
/** Several clients: the whole forward, with a prefill of a client that does not decode yet. */
const STRETCH_OF_NEW = 4;

/**
 * What waits, as one batch: first the requests that decode, the one whose last forward is longest ago first; then pieces of
 * long work, clients by turns, and of one client in order of arrival. Sarathi-Serve (Agrawal et al. 2024, arXiv 2403.02310),
 * section 4.
 * @param waiting seats with work
 * @returns empty if all have to wait for memory
 */
export function gather(
  model: Pick<DiffusionModel, 'config' | 'maxForward' | 'batchRows' | 'costs'>,
  waiting: Iterable<Seat>,
  memory: Memory,
): Entry[] {
  const seats = [...waiting].sort((a, b) => a.last - b.last || a.posted - b.posted);
  const most = model.batchRows;
  const [oldest] = seats;
  // One sequence where the runtime takes one, or where a canvas fills a forward.
  if (oldest && (most === 0 || isWhole(model.config, oldest, most))) {
    const alone = new Batch(model, memory, true);
    alone.add(oldest, most === 0 ? model.maxForward : most);
    if (most === 0 || alone.rows > 0) return alone.entries;
  }
  const batch = new Batch(model, memory);
  // A block cannot be cut, so it does not wait for room among pieces.
  const isShort = ({ size, work, cache }: Seat) =>
    !cache.suspended && (size <= SHORT || work.clean.length === 0 || checksByMasks(work));
  for (const seat of seats) if (isShort(seat)) batch.add(seat, most);
  const decoding = new Set(batch.entries.map(({ seat }) => seat.client));
  const long = byTurns(
    seats.filter((seat) => !isShort(seat)),
    decoding,
  );
  const limit = rowLimit(model.costs, batch, decoding, long, most);
  // Tokens of a block are committed together.
  const least = batch.rows + (model.config.contextAttention === 'block_causal' ? model.config.blockLength : 1);
  for (const seat of long) batch.add(seat, Math.min(Math.max(limit(seat), least), most));
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
  readonly #alone: boolean;

  /** @param alone it takes one seat, and work that cannot be cut */
  constructor({ config }: Pick<DiffusionModel, 'config'>, memory: Memory, alone = false) {
    this.#alone = alone;
    this.#config = config;
    this.#memory = memory;
  }

  /** Adds as much of the seat's work as ends at row `end`, if there is memory for it. Work that cannot be cut may go past the end, alone. */
  add(seat: Seat, end: number): void {
    const most = end - this.rows;
    if (most <= 0) return;
    if (seat.cache.suspended && !this.#memory.reserve(seat, Math.min(seat.size, most), this.#seats)) return;
    const found = cut(this.#config, seat.work, seat.cache.length, most);
    const whole = this.#alone ? { piece: seat.work, rest: null } : null;
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
  return positionsOf(piece);
}

/** Drafts that masks check: they cannot be cut. */
function checksByMasks({ ask }: SequenceForward): boolean {
  return ask.byMasks === true && ask.rows === 'all';
}

/** A position of long work is worth so many tokens: whoever drafts beside a prompt holds it up. */
const WORTH_OF_POSITION = 0.5;

/** Tokens that an entry brings at least. */
export function tokensOf(entry: Entry): number {
  const rows = positions(entry);
  return rows > SHORT && !checksByMasks(entry.piece) ? rows * WORTH_OF_POSITION : 1;
}

/** Clients that do not decode go first, then the one whose long work ran longest ago. */
function byTurns(long: readonly Seat[], decoding: ReadonlySet<string>): Seat[] {
  const last = new Map<string, number>();
  for (const { client, last: own } of long) last.set(client, Math.max(last.get(client) ?? own, own));
  const kind = ({ client }: Seat) => (decoding.has(client) ? 1 : 0);
  return long.toSorted((a, b) => kind(a) - kind(b) || last.get(a.client)! - last.get(b.client)! || a.posted - b.posted);
}

/**
 * The row at which a piece of a seat's prefill has to end, so that prompts do not hold up running streams for long.
 * @param batch with the rows that decode, and `decoding` the clients that they are for
 * @param long seats with prefills
 */
function rowLimit(
  costs: CostCurve,
  { rows, entries: { length } }: Batch,
  decoding: ReadonlySet<string>,
  long: readonly Seat[],
  most: number,
): (seat: Seat) => number {
  const clients = new Set([...decoding, ...long.map(({ client }) => client)]);
  return ({ client }) => {
    if (rows === 0) return most;
    if (clients.size > 1) return stretched(costs, rows, most, decoding.has(client) ? STRETCH_OF_MANY : STRETCH_OF_NEW);
    const share = 1 + (STRETCH * long.length) / length;
    return stretched(costs, rows, most, Math.max(share, STRETCH_OF_MANY));
  };
}

/** The positions at which a forward costs `stretch` times what `rows` cost; at most `most`. */
function stretched(costs: CostCurve, rows: number, most: number, stretch: number): number {
  const limit = stretch * costOf(costs, rows);
  let end = rows;
  while (end < most && costOf(costs, end + 1) <= limit) end++;
  return end;
}
