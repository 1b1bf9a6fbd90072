/** Lets requests take turns, one forward at a time. */
import { nextMacrotask } from './macrotask.ts';

interface Lane {
  /** When it had its last turn, or joined. */
  last: number;
}

/** Looks at an unchanged state before a request stops waiting for others. */
const PATIENCE = 3;

/**
 * Requests of one isolate take turns at forwards: whoever had a turn longest ago goes first. So a request gets its next
 * turn after at most one forward of every other, however long its own prompt or theirs.
 *
 * Every request waits on macrotasks of its own: the runtime may end a request, and with it whatever it was to do for the
 * others; and to wake one request from another takes workerd longer than this.
 */
export class Turns {
  #clock = 0;
  readonly #waiting = new Set<Lane>();

  /** @returns what a new request awaits before each forward; the forward then starts before anything else is awaited */
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

  /** Those before this one are not coming. One that is, after all, says so at its next look. */
  #passOver(lane: Lane): void {
    for (const other of this.#waiting) if (other.last < lane.last) this.#waiting.delete(other);
  }
}
