/** Whose KV makes way when the pool has no page left. */
import type { DiffusionModel } from '../../model/model.ts';
import type { Seat } from './seat.ts';

/** What a seat's memory is for now. */
export type Use = 'busy' | 'idle' | 'gone';

/**
 * Share of the pool that a client leaves free when it has a request already: a short request of somebody else then finds
 * room, and one that gave its pages back does not take them only to give them back again.
 */
const HEADROOM = 1 / 16;

type Pool = Pick<DiffusionModel, 'freeTokens' | 'maxTokens'>;

/**
 * An admitted request never fails for memory. It waits, or it gives its pages back and has its tokens run again later, as
 * paged servers do (Kwon et al. 2023, arXiv 2309.06180, section 4.5). The order in which requests make way is total, so the
 * last one can always go on:
 *
 * 1. those whose host has ended them;
 * 2. those that ask for nothing, as their client reads slowly;
 * 3. those of a client with several, while it holds more than its share of the pool;
 * 4. those that came later.
 */
export class Memory {
  readonly #pool: Pool;
  readonly #seats: ReadonlySet<Seat>;
  readonly #useOf: (seat: Seat) => Use;

  constructor(pool: Pool, seats: ReadonlySet<Seat>, useOf: (seat: Seat) => Use) {
    this.#pool = pool;
    this.#seats = seats;
    this.#useOf = useOf;
  }

  /**
   * Room for the seat's next positions. What it had given back is restored first, to be run again.
   * @param kept seats of the same forward: they do not make way
   * @returns false where it has to wait
   */
  reserve(seat: Seat, positions: number, kept: ReadonlySet<Seat>): boolean {
    const { cache } = seat;
    if (!cache.suspended) {
      while (!cache.reserve(positions)) if (!this.#takeFrom(seat, kept)) return false;
      return true;
    }
    const wanted = Math.min(cache.length + positions, cache.capacity);
    if (this.#takesHeadroom(seat.client, wanted)) return false;
    while (this.#pool.freeTokens < wanted) if (!this.#takeFrom(seat, kept)) return false;
    seat.recover();
    return cache.reserve(seat.size);
  }

  /**
   * Room for a request that is not admitted yet.
   * @param urgent others make way for it, if its client has no more than its share
   */
  hasRoom(client: string, tokens: number, urgent: boolean): boolean {
    if (this.#takesHeadroom(client, tokens)) return false;
    const newest = { client, joined: Number.POSITIVE_INFINITY };
    // Nobody gives back what does not suffice.
    if (urgent && this.#pool.freeTokens + this.#roomAfter(newest, NOBODY, tokens) < tokens) return false;
    while (this.#pool.freeTokens < tokens) if (!urgent || !this.#takeFrom(newest, NOBODY, tokens)) return false;
    return true;
  }

  /** Whether so many tokens would be the last free ones, for a client that has work with memory already. */
  #takesHeadroom(client: string, tokens: number): boolean {
    const left = this.#pool.freeTokens - tokens;
    if (left < 0 || left >= this.#pool.maxTokens * HEADROOM) return false;
    for (const seat of this.#seats) {
      if (seat.client === client && seat.cache.room > 0 && this.#useOf(seat) === 'busy') return true;
    }
    return false;
  }

  /** @param more tokens that its client is about to hold */
  #takeFrom(asking: Pick<Seat, 'client' | 'joined'>, kept: ReadonlySet<Seat>, more = 0): boolean {
    return this.#later(asking, kept, more).some((seat) => seat.cache.suspend());
  }

  /** Tokens that later requests have room for. */
  #roomAfter(asking: Pick<Seat, 'client' | 'joined'>, kept: ReadonlySet<Seat>, more: number): number {
    return this.#later(asking, kept, more).reduce((sum, seat) => sum + seat.cache.room, 0);
  }

  /** Requests that make way for the one that asks, the last one first. */
  #later(asking: Pick<Seat, 'client' | 'joined'>, kept: ReadonlySet<Seat>, more: number): Seat[] {
    const limit = this.#rank(asking, more);
    return [...this.#seats]
      .filter((seat) => seat !== asking && !kept.has(seat) && seat.cache.room > 0 && !seat.cache.suspended)
      .map((seat) => ({ seat, rank: UNUSED[this.#useOf(seat)] ?? this.#rank(seat) }))
      .filter(({ rank }) => isLater(rank, limit))
      .sort((a, b) => (isLater(a.rank, b.rank) ? -1 : 1))
      .map(({ seat }) => seat);
  }

  #rank({ client, joined }: Pick<Seat, 'client' | 'joined'>, more = 0): Rank {
    let [held, own] = [more, more > 0 ? 1 : 0];
    const clients = new Set([client]);
    for (const seat of this.#seats) {
      clients.add(seat.client);
      if (seat.client !== client) continue;
      held += seat.cache.room;
      own += 1;
    }
    const share = this.#pool.maxTokens / clients.size;
    return [own > 1 && clients.size > 1 && held > share ? 1 : 0, joined];
  }
}

const NOBODY: ReadonlySet<Seat> = new Set();

/** Higher is later, and makes way first. */
type Rank = readonly [kind: number, joined: number];

const UNUSED: Partial<Record<Use, Rank>> = { gone: [3, 0], idle: [2, 0] };

function isLater(a: Rank, b: Rank): boolean {
  return a[0] !== b[0] ? a[0] > b[0] : a[1] > b[1];
}
