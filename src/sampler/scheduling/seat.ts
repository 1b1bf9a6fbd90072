import type { Cut } from '../../model/forward/pieces.ts';
import { joinRows } from '../../model/forward/predictions.ts';
import type { Advanced, KvCache, Predictions, SequenceForward } from '../../model/model.ts';
import type { Load } from './lane.ts';

const ALONE: Load = { rows: 0, tokens: 0 };

/** What the scheduler knows of one request: its work, and the answer once all of it has run. */
export class Seat {
  readonly cache: KvCache;
  /** Number of the last forward that it took part in; of the last before it joined, until then. */
  last: number;
  /** Number of the last forward that it has seen: its request lived then. */
  seen: number;
  /** Order of its work among all seats' work. */
  posted = 0;
  load: Load = ALONE;
  /** What is left to run; null when it asks for nothing. */
  rest: SequenceForward | null = null;
  /** The whole work, answered. */
  answer: Advanced | null = null;
  /** Why the work failed. An error, so never null. */
  failure: unknown = null;
  #committed: Predictions[] = [];

  readonly macrotask: () => Promise<void>;

  /** @param now number of the last forward */
  constructor(cache: KvCache, now: number, macrotask: () => Promise<void>) {
    this.cache = cache;
    this.macrotask = macrotask;
    this.last = now;
    this.seen = now;
  }

  /** Positions that are left to run. */
  get size(): number {
    return this.rest ? this.rest.clean.length + this.rest.block.length : 0;
  }

  post(work: SequenceForward, order: number): void {
    this.rest = work;
    this.posted = order;
    this.answer = null;
    this.failure = null;
    this.#committed = [];
  }

  /** Takes the answer to the piece of a cut. */
  take({ rest }: Pick<Cut, 'rest'>, { committed, block }: Advanced): void {
    this.rest = rest;
    this.#committed.push(committed);
    if (!rest) this.answer = { committed: joinRows(this.#committed), block };
  }

  fail(error: unknown): void {
    this.rest = null;
    this.failure = error;
  }

  withdraw(): void {
    this.rest = null;
  }
}
