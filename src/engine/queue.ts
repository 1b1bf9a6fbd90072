/**
 * Requests wait here in order of arrival until there is room. So small late requests never starve a large early one.
 */

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

/** What a request holds while it runs. */
export interface Place<T> {
  readonly room: T;
  /** Lets the next request in. Call it once the room is free again; safe to call twice. */
  leave(): void;
}

/** Longest sleep of a waiter, in ms: the runtime may drop the request whose end should have woken it. */
const POLL_MS = 1000;
/** OpenAI's clients go by their own timing when they are asked to wait for longer. */
const LONGEST_RETRY_SECONDS = 60;
/** Weight of the newest duration in the running mean. */
const NEWEST = 0.2;

export class RequestQueue {
  readonly #limits: QueueLimits;
  /** Waiting, first come first. */
  #line: Waiter[] = [];
  /** Starts of those that run, oldest first, in ms. */
  readonly #running = new Set<{ readonly start: number }>();
  /** How long requests run, in ms; null until one has ended. */
  #meanMs: number | null = null;

  constructor(limits: QueueLimits) {
    this.#limits = limits;
  }

  /** Requests that run at once at most. */
  get concurrency(): number {
    return this.#limits.concurrency;
  }

  get running(): number {
    return this.#running.size;
  }

  get waiting(): number {
    return this.#line.length;
  }

  /**
   * Takes room at once or waits for it.
   * @param take takes the room, or returns null with nothing taken; called again whenever a request has ended
   * @throws BusyError, the signal's reason on abort, or what `take` throws
   */
  async enter<T>(take: () => T | null, signal: AbortSignal): Promise<Place<T>> {
    signal.throwIfAborted();
    this.#dropStale();
    const atOnce = this.#line.length === 0 ? this.#tryTake(take) : null;
    if (atOnce) return atOnce;
    if (this.#line.length >= this.#limits.waiting) {
      throw new BusyError('full', `${this.#counts()}; no more can wait.`, this.#retryAfter());
    }
    const waiter = new Waiter(performance.now() + this.#limits.seconds * 1000);
    this.#line.push(waiter);
    try {
      for (;;) {
        await waiter.sleep(signal);
        signal.throwIfAborted();
        this.#dropStale();
        const place = this.#line[0] === waiter ? this.#tryTake(take) : null;
        if (place) return place;
        if (waiter.msLeft <= 0) {
          const message = `No room within ${this.#limits.seconds} seconds: ${this.#counts()}.`;
          throw new BusyError('late', message, this.#retryAfter());
        }
      }
    } finally {
      this.#line = this.#line.filter((other) => other !== waiter);
      this.#line[0]?.wake();
    }
  }

  #tryTake<T>(take: () => T | null): Place<T> | null {
    if (this.#running.size >= this.#limits.concurrency) return null;
    const room = take();
    if (room === null) return null;
    const run = { start: performance.now() };
    this.#running.add(run);
    return { room, leave: () => this.#leave(run) };
  }

  #leave(run: { readonly start: number }): void {
    if (!this.#running.delete(run)) return;
    const ms = performance.now() - run.start;
    this.#meanMs = this.#meanMs === null ? ms : this.#meanMs + NEWEST * (ms - this.#meanMs);
    this.#line[0]?.wake();
  }

  /** A waiter that has missed its own deadline is one that the runtime has dropped; it must not hold up the others. */
  #dropStale(): void {
    this.#line = this.#line.filter((waiter) => waiter.msLeft > -POLL_MS);
  }

  /** Seconds until those who wait now have been served, if requests go on to take as long as they did. */
  #retryAfter(): number {
    const [oldest] = this.#running;
    const ms = this.#meanMs ?? (oldest ? performance.now() - oldest.start : 0);
    const turns = (this.#line.length + 1) / Math.max(this.#running.size, 1);
    return Math.min(Math.max(Math.ceil((ms * turns) / 1000), 1), LONGEST_RETRY_SECONDS);
  }

  #counts(): string {
    return `${this.#running.size} requests run and ${this.#line.length} wait`;
  }
}

class Waiter {
  readonly #deadline: number;
  #wake: (() => void) | null = null;

  constructor(deadline: number) {
    this.#deadline = deadline;
  }

  /** Negative once the deadline has passed. */
  get msLeft(): number {
    return this.#deadline - performance.now();
  }

  wake(): void {
    this.#wake?.();
  }

  /** Until `wake`, an abort, the deadline, or a while has passed. A timer of its own: workerd takes one without for hung. */
  sleep(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', wake);
        this.#wake = null;
        resolve();
      };
      const timer = setTimeout(wake, Math.max(Math.min(this.msLeft, POLL_MS), 0));
      signal.addEventListener('abort', wake);
      this.#wake = wake;
    });
  }
}
