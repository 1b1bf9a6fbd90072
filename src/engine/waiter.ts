/** Longest sleep of a waiter, in ms: the runtime may drop the request whose end should have woken it. */
export const POLL_MS = 1000;

/** A request that waits for room. */
export class Waiter {
  /** Set when it must not wait any longer: another client's share of the places was taken. */
  refused = false;
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
