import { type Cut, positionsOf } from '../../model/forward/pieces.ts';
import { joinRows } from '../../model/forward/predictions.ts';
import type { Advanced, KvCache, Predictions, SequenceForward } from '../../model/model.ts';
import type { Load } from './lane.ts';

const ALONE: Load = { rows: 0, tokens: 0 };
const NO_IDS = new Int32Array();

/** Who a seat is for. */
export interface Guest {
  /** Only the request's lane and the scheduler use it from now on. */
  readonly cache: KvCache;
  /** Opaque. Clients have equal shares. */
  readonly client: string;
  /** Takes a macrotask of the request: its host may let none come any more. */
  readonly macrotask: () => Promise<void>;
  /** Called when the host has ended the request, as far as one can tell. */
  readonly gone?: () => void;
}

/** What the scheduler knows of one request: its work, and the answer once all of it has run. */
export class Seat {
  readonly cache: KvCache;
  readonly client: string;
  readonly macrotask: () => Promise<void>;
  /** Tells that its request is gone. */
  readonly drop: () => void;
  /** Order in which requests came. */
  readonly joined: number;
  /** Number of the last forward that it took part in; of the last before it joined, until then. */
  last: number;
  /** Number of the last forward that its request has seen, and when that was: it lived then. */
  seen: number;
  seenMs: number;
  /** When it was first missed since: the thread may have stood still. */
  suspectMs: number | null = null;
  /** Order of its work among all seats' work. */
  posted = 0;
  /** Not to be run now: others of its client have its place. */
  paused = false;
  load: Load = ALONE;
  /** The whole work, answered. */
  answer: Advanced | null = null;
  /** Why the work failed. An error, so never null. */
  failure: unknown = null;
  /** What is left to run; null when it asks for nothing. */
  #rest: SequenceForward | null = null;
  /** Tokens whose KV was given back: they run before the rest. */
  #lost: SequenceForward | null = null;
  /** Tokens before its work. They are final: drafts that did not hold were taken back. */
  #final = 0;
  #committed: Predictions[] = [];

  /** @param now number of the last forward */
  constructor({ cache, client, macrotask, gone }: Guest, joined: number, now: number) {
    this.drop = gone ?? (() => {});
    this.cache = cache;
    this.client = client;
    this.macrotask = macrotask;
    this.joined = joined;
    this.last = now;
    this.seen = now;
    this.seenMs = performance.now();
  }

  get isBusy(): boolean {
    return this.#rest !== null;
  }

  /** Whether its request looks at it after every forward, if it lives. */
  get isLooking(): boolean {
    return this.#rest !== null || this.answer !== null || this.failure !== null;
  }

  /** What runs next. Only while it is busy. */
  get work(): SequenceForward {
    return this.#lost ?? this.#rest!;
  }

  /** Positions of `work`. */
  get size(): number {
    return positionsOf(this.work);
  }

  /** The request lives. @param now number of the last forward */
  see(now: number): void {
    this.seen = now;
    this.seenMs = performance.now();
    this.suspectMs = null;
  }

  post(work: SequenceForward, order: number): void {
    this.#rest = work;
    this.#final = this.cache.length;
    this.posted = order;
    this.#committed = [];
  }

  /** Ends a suspension of the cache: tokens without KV run first. */
  recover(): void {
    // A suspension may end another's recovery.
    const lost = Int32Array.of(...this.cache.restore(this.#final), ...(this.#lost?.clean ?? NO_IDS)); // (L)
    const ask = { rows: 'none' as const, positions: NO_IDS };
    this.#lost = lost.length > 0 ? { cache: this.cache, clean: lost, block: NO_IDS, ask } : null;
  }

  /** Takes the answer to the piece of a cut of its work. */
  take({ rest }: Pick<Cut, 'rest'>, { committed, block }: Advanced): void {
    if (this.#lost) {
      this.#lost = rest;
      return;
    }
    this.#rest = rest;
    this.#committed.push(committed);
    if (!rest) this.answer = { committed: joinRows(this.#committed), block };
  }

  fail(error: unknown): void {
    this.#rest = null;
    this.failure = error;
  }

  /** The request has its answer, or takes the work back. */
  clear(): void {
    this.#rest = null;
    this.answer = null;
    this.failure = null;
  }
}
