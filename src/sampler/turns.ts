/** Lets requests take turns, one forward at a time. */
import { nextMacrotask } from './macrotask.ts';

interface Lane {
  /** Clock at its last turn, or at `join`. */
  last: number;
}

/** Looks at an unchanged clock before a request stops waiting for others. */
const PATIENCE = 3;

/**
 * Requests of one isolate take turns at forwards. The request whose last turn is longest ago goes first. So a request waits
 * for at most one forward of every other request, however long the prompts are.
 *
 * Every request waits on macrotasks of its own. The runtime may end a request at any time, and no other request may depend
 * on it. Waking one request from another is also slower on workerd.
 */
export class Turns {
  #clock = 0;
  readonly #waiting = new Set<Lane>();

  /** @returns a function that a new request awaits before each forward. It must start the forward before its next await. */
  join(): () => Promise<void> {
    const lane = { last: ++this.#clock };
    return () => this.#turn(lane);
  }

  async #turn(lane: Lane): Promise<void> {
    for (let seen = -1, unchanged = 0; ; seen = this.#clock) {
      this.#waiting.add(lane);
      await nextMacrotask();
      unchanged = seen === this.#clock ? unchanged + 1 : 0;
      if (unchanged >= PATIENCE) this.#passOver(lane);
      if (this.#isFirst(lane)) break;
    }
    this.#waiting.delete(lane);
    lane.last = ++this.#clock;
  }

  #isFirst(lane: Lane): boolean {
    for (const other of this.#waiting) if (other.last < lane.last) return false;
    return true;
  }

  /** Drops the requests before this one, which do not take their turn. One that still runs joins again at its next look. */
  #passOver(lane: Lane): void {
    for (const other of this.#waiting) if (other.last < lane.last) this.#waiting.delete(other);
  }
}
