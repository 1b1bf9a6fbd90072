/**
 * Tasks in shared memory, cut into pieces. Threads take the pieces one by one. Every thread has a `Pieces` of its own on the
 * same bytes.
 *
 * One word, the ticket, says what is left: (generation << 8) | pieces that nobody took. A thread takes a piece by a
 * compare-and-swap of the ticket. Tasks are rewritten only when the count is 0 and all pieces are done. So a thread
 * that took a piece reads tasks that do not change.
 */
import type { Kernels } from './kernels.ts';
import { ARGUMENTS, computePiece, FIELDS, FIRST_PIECE, KIND, SPAN } from './tasks.ts';

// Words of the block. Words that different threads write lie in different cache lines.
const TICKET = 0;
const DONE = 16;
const WAITING = 32;
const ASLEEP = 33;
const STOP = 34;
const FAILED = 35;
const COUNT = 48;
const TOTAL = 49;
const TASKS = 64;

/** Tasks of a round. */
export const MOST_TASKS = 16;
export const BLOCK_BYTES = (TASKS + MOST_TASKS * FIELDS) * 4;

/**
 * Looks at a word before a thread sleeps, 10 to 50 ns each. Together they take about as long as a forward of many positions
 * works between two rounds.
 */
const SPINS = 10000;
const pause: (() => void) | undefined = (Atomics as { pause?: () => void }).pause?.bind(Atomics);

export class Pieces {
  readonly #words: Int32Array;
  /** The same words. */
  readonly #floats: Float32Array;
  readonly #kernels: Kernels;
  readonly #scratch: number;

  /** @param scratch address of memory of this thread alone, as the workspace plans it */
  constructor(memory: WebAssembly.Memory, block: number, kernels: Kernels, scratch: number) {
    this.#words = new Int32Array(memory.buffer, block, BLOCK_BYTES / 4);
    this.#floats = new Float32Array(memory.buffer, block, BLOCK_BYTES / 4);
    this.#kernels = kernels;
    this.#scratch = scratch;
  }

  get failed(): boolean {
    return Atomics.load(this.#words, FAILED) === 1;
  }

  /** Takes a piece and computes it; false where none is left. After an error the piece counts as done. */
  work(onError: (error: unknown) => void): boolean {
    const words = this.#words;
    for (;;) {
      const ticket = Atomics.load(words, TICKET);
      const left = ticket & 255;
      if (left === 0) return false;
      if (Atomics.compareExchange(words, TICKET, ticket, ticket - 1) !== ticket) continue;
      this.#compute(words[TOTAL]! - left, onError);
      Atomics.add(words, DONE, 1);
      if (Atomics.load(words, WAITING) === 1) Atomics.notify(words, DONE);
      return true;
    }
  }

  /** Computes all pieces of the tasks on this thread, without a round. */
  workAlone(tasks: number, pieces: number, onError: (error: unknown) => void): void {
    this.#words[COUNT] = tasks;
    for (let piece = 0; piece < pieces; piece++) this.#compute(piece, onError);
  }

  #compute(piece: number, onError: (error: unknown) => void): void {
    const words = this.#words;
    let at = TASKS;
    for (const last = TASKS + (words[COUNT]! - 1) * FIELDS; at < last; at += FIELDS) {
      if (piece < words[at + FIELDS + FIRST_PIECE]!) break;
    }
    try {
      computePiece(this.#kernels, words, this.#floats, at, piece, this.#scratch);
    } catch (error) {
      Atomics.store(words, FAILED, 1);
      onError(error);
    }
  }

  /**
   * Writes a task.
   * @param index of the task in its round
   * @param firstPiece pieces of the tasks before it
   * @param span size of a piece, in whatever the kind is cut
   * @param floats numbers of the arguments that are f32
   */
  write(
    index: number,
    firstPiece: number,
    span: number,
    kind: number,
    args: readonly number[],
    floats: readonly number[] = [],
  ): void {
    const at = TASKS + index * FIELDS;
    this.#words[at + FIRST_PIECE] = firstPiece;
    this.#words[at + SPAN] = span;
    this.#words[at + KIND] = kind;
    this.#words.set(args, at + ARGUMENTS);
    for (const i of floats) this.#floats[at + ARGUMENTS + i] = args[i]!;
  }

  /** Opens a round: from now on pieces can be taken. */
  open(tasks: number, pieces: number): void {
    const words = this.#words;
    words[COUNT] = tasks;
    words[TOTAL] = pieces;
    Atomics.store(words, DONE, 0);
    this.#next(pieces);
  }

  #next(pieces: number): void {
    const words = this.#words;
    const generation = (Atomics.load(words, TICKET) >>> 8) + 1;
    Atomics.store(words, TICKET, (generation << 8) | pieces);
    if (Atomics.load(words, ASLEEP) > 0) Atomics.notify(words, TICKET);
  }

  /** Waits until all pieces are done; false when that takes longer than `ms`. */
  wait(ms: number): boolean {
    const words = this.#words;
    const total = words[TOTAL]!;
    for (let i = 0; i < SPINS; i++) {
      if (Atomics.load(words, DONE) === total) return true;
      pause?.();
    }
    const deadline = performance.now() + ms;
    Atomics.store(words, WAITING, 1);
    try {
      for (;;) {
        const done = Atomics.load(words, DONE);
        if (done === total) return true;
        const left = deadline - performance.now();
        if (left <= 0) return false;
        Atomics.wait(words, DONE, done, left);
      }
    } finally {
      Atomics.store(words, WAITING, 0);
    }
  }

  /** Works until `stop`. A browser's main thread may not wait, so it must not call this. */
  serve(onError: (error: unknown) => void): void {
    const words = this.#words;
    for (let idle = 0; ; idle++) {
      const ticket = Atomics.load(words, TICKET);
      if (Atomics.load(words, STOP) === 1) return;
      if ((ticket & 255) > 0) {
        this.work(onError);
        idle = 0;
      } else if (idle < SPINS) {
        pause?.();
      } else {
        Atomics.add(words, ASLEEP, 1);
        Atomics.wait(words, TICKET, ticket);
        Atomics.sub(words, ASLEEP, 1);
        idle = 0;
      }
    }
  }

  stop(): void {
    Atomics.store(this.#words, STOP, 1);
    // The ticket changes, so a thread that is about to sleep on the old one wakes up.
    this.#next(0);
  }
}
