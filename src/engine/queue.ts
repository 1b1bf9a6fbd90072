/**
 * Requests wait here until there is room. Every client has a line, and lines are served in turn. Within a line the order is that
 * of arrival, so small late requests never starve a large early one.
 *
 * While others wait, no client has more than its share of the running requests and of the places in the queue. What it has more
 * makes way: a waiting request is refused, a running one pauses until its client's turn comes again.
 */
import { POLL_MS, Waiter } from './waiter.ts';

export interface QueueLimits {
  /** Requests that run at once at most. */
  readonly concurrency: number;
  /** Requests that wait at most. */
  readonly waiting: number;
  /** Longest wait, in seconds. */
  readonly seconds: number;
}

/** No room: `full` when too many wait already, `late` when the wait took too long. */
export class BusyError extends Error {
  override readonly name = 'BusyError';
  readonly reason: 'full' | 'late';
  /** When to try again: an estimate from what runs. Whole, 1 to 60. */
  readonly retryAfterSeconds: number;
  constructor(reason: 'full' | 'late', message: string, retryAfterSeconds: number) {
    super(message);
    this.reason = reason;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/**
 * Takes the room that a request needs, or returns null with nothing taken. Called again whenever a request has ended.
 * @param urgent its client has less than its share: others may make way
 */
type Take<T> = (urgent: boolean) => T | null;

/** What a request holds while it runs. */
export interface Place<T> {
  readonly room: T;
  /** Is called with true when the request has to pause, and with false when it may go on. */
  onPause: (paused: boolean) => void;
  /** Lets the next request in. Call it once the room is free again; safe to call twice. */
  leave(): void;
}

interface Run {
  readonly client: string;
  /** In ms. */
  readonly start: number;
  paused: boolean;
  pause(paused: boolean): void;
}

/** OpenAI's clients go by their own timing when they are asked to wait for longer. */
const LONGEST_RETRY_SECONDS = 60;
/** Weight of the newest duration in the running mean. */
const NEWEST = 0.2;

export class RequestQueue {
  readonly #limits: QueueLimits;
  /** Waiting, by client, first come first. No line is empty. */
  readonly #lines = new Map<string, Waiter[]>();
  /** Oldest first. */
  readonly #running = new Set<Run>();
  /** When a client's turn last came, as a count of turns. Only of clients that wait or run. */
  readonly #served = new Map<string, number>();
  #turns = 0;
  /** How long requests run, in ms; null until one has ended. */
  #meanMs: number | null = null;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  /** Requests that run at once at most. */
  get concurrency(): number {
    return this.#limits.concurrency;
  }

  /** Requests that were let in and have not ended, those that pause included. */
  get running(): number {
    return this.#running.size;
  }

  get waiting(): number {
    let waiting = 0;
    for (const line of this.#lines.values()) waiting += line.length;
    return waiting;
  }

  /**
   * Takes room at once or waits for it.
   * @param client opaque
   * @throws BusyError, the signal's reason on abort, or what `take` throws
   */
  async enter<T>(take: Take<T>, signal: AbortSignal, client = ''): Promise<Place<T>> {
    signal.throwIfAborted();
    this.#dropStale();
    const atOnce = this.#lines.size === 0 || this.#isNext(client, true) ? this.#tryTake(client, take) : null;
    if (atOnce) return atOnce;
    this.#makePlace(client);
    const waiter = new Waiter(performance.now() + this.#limits.seconds * 1000);
    this.#lines.set(client, [...(this.#lines.get(client) ?? []), waiter]);
    try {
      for (;;) {
        await waiter.sleep(signal);
        signal.throwIfAborted();
        this.#dropStale();
        if (waiter.refused) throw this.#full();
        const isFirst = this.#lines.get(client)?.[0] === waiter && this.#isNext(client, false);
        const place = isFirst ? this.#tryTake(client, take) : null;
        if (place) return place;
        if (waiter.msLeft <= 0) {
          const message = `No room within ${this.#limits.seconds} seconds: ${this.#counts()}.`;
          throw new BusyError('late', message, this.#retryAfter());
        }
      }
    } finally {
      this.#remove(client, (other) => other === waiter);
      this.#wakeNext();
    }
  }

  /** @param joins the client has nobody in its line yet, and would have */
  #isNext(client: string, joins: boolean): boolean {
    if (joins && this.#lines.has(client)) return false;
    const own = this.#order(client);
    for (const other of this.#lines.keys()) if (other !== client && isBefore(this.#order(other), own)) return false;
    return true;
  }

  /** Who has less goes first, then whose turn is longest ago. */
  #order(client: string): readonly [running: number, served: number] {
    return [this.#runs(client).length, this.#served.get(client) ?? -1];
  }

  /** Requests of a client that run now. */
  #runs(client: string): Run[] {
    return [...this.#running].filter((run) => run.client === client && !run.paused);
  }

  #tryTake<T>(client: string, take: Take<T>): Place<T> | null {
    const share = this.#share(client, this.#limits.concurrency);
    const urgent = this.#runs(client).length < share;
    const active = [...this.#running].filter(({ paused }) => !paused);
    const full = active.length >= this.#limits.concurrency;
    const excess = full && urgent ? this.#excess(active, share) : null;
    if (full && !excess) return null;
    const room = take(false) ?? (urgent ? take(true) : null);
    if (room === null) return null;
    excess?.pause(true);
    const place: Place<T> = { room, onPause: () => {}, leave: () => this.#leave(run) };
    const run: Run = {
      client,
      start: performance.now(),
      paused: false,
      pause(paused) {
        this.paused = paused;
        place.onPause(paused);
      },
    };
    this.#running.add(run);
    this.#served.set(client, ++this.#turns);
    return place;
  }

  /** An equal part of `places` for every client that runs or waits; 1 at least. */
  #share(client: string, places: number): number {
    const clients = new Set([client, ...this.#lines.keys(), ...[...this.#running].map((run) => run.client)]);
    return Math.max(Math.floor(places / clients.size), 1);
  }

  /** The youngest request of the client that has most, if that is more than its share. */
  #excess(active: readonly Run[], share: number): Run | null {
    const of = (client: string) => active.filter((run) => run.client === client);
    const most = active.map(({ client }) => of(client)).reduce((a, b) => (b.length > a.length ? b : a), []);
    return most.length > share ? most.at(-1)! : null;
  }

  /** @throws BusyError where the queue is full and the client has its share of it */
  #makePlace(client: string): void {
    if (this.waiting < this.#limits.waiting) return;
    const share = this.#share(client, this.#limits.waiting);
    const own = (this.#lines.get(client) ?? []).length;
    const none: readonly [string, readonly Waiter[]] = ['', []];
    const [longest, line] = [...this.#lines].reduce((a, b) => (b[1].length > a[1].length ? b : a), none);
    const last = line.at(-1);
    if (own >= share || line.length <= share || !last) throw this.#full();
    last.refused = true;
    this.#remove(longest, (waiter) => waiter === last);
    last.wake();
  }

  #full(): BusyError {
    return new BusyError('full', `${this.#counts()}; no more can wait.`, this.#retryAfter());
  }

  #leave(run: Run): void {
    if (!this.#running.delete(run)) return;
    // One that its host ended may live after all.
    if (run.paused) run.pause(false);
    const ms = performance.now() - run.start;
    this.#meanMs = this.#meanMs === null ? ms : this.#meanMs + NEWEST * (ms - this.#meanMs);
    this.#resume();
    this.#wakeNext();
  }

  /** Lets paused requests go on while there are places for them, before requests of their client that wait. */
  #resume(): void {
    for (;;) {
      const paused = [...this.#running].filter((run) => run.paused);
      if (paused.length === 0 || this.#running.size - paused.length >= this.#limits.concurrency) break;
      const next = paused.reduce((a, b) => (isBefore(this.#order(b.client), this.#order(a.client)) ? b : a));
      next.pause(false);
      this.#served.set(next.client, ++this.#turns);
    }
    for (const client of this.#served.keys()) {
      if (!this.#lines.has(client) && ![...this.#running].some((run) => run.client === client))
        this.#served.delete(client);
    }
  }

  #wakeNext(): void {
    for (const [client, line] of this.#lines) if (this.#isNext(client, false)) line[0]?.wake();
  }

  /** A waiter that has missed its own deadline is one that the runtime has dropped; it must not hold up the others. */
  #dropStale(): void {
    for (const client of this.#lines.keys()) this.#remove(client, (waiter) => waiter.msLeft <= -POLL_MS);
  }

  #remove(client: string, which: (waiter: Waiter) => boolean): void {
    const left = this.#lines.get(client)?.filter((waiter) => !which(waiter)) ?? [];
    if (left.length > 0) this.#lines.set(client, left);
    else this.#lines.delete(client);
  }

  /** Seconds until those who wait now have been served, if requests go on to take as long as they did. */
  #retryAfter(): number {
    const [oldest] = this.#running;
    const ms = this.#meanMs ?? (oldest ? performance.now() - oldest.start : 0);
    const turns = (this.waiting + 1) / Math.max(this.#running.size, 1);
    return Math.min(Math.max(Math.ceil((ms * turns) / 1000), 1), LONGEST_RETRY_SECONDS);
  }

  #counts(): string {
    return `${this.#running.size} requests run and ${this.waiting} wait`;
  }
}

function isBefore(a: readonly [number, number], b: readonly [number, number]): boolean {
  return a[0] !== b[0] ? a[0] < b[0] : a[1] < b[1];
}
