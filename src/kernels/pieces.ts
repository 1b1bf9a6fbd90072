/**
 * Matrix products in shared memory, cut into pieces of outputs. Threads take the pieces one by one. Every thread has a
 * `Pieces` of its own on the same bytes.
 *
 * One word, the ticket, says what is left: (generation << 8) | pieces that nobody took. A thread takes a piece by a
 * compare-and-swap of the ticket. Products are rewritten only when the count is 0 and all pieces are done. So a thread
 * that took a piece reads products that do not change.
 */
import type { Kernels } from './kernels.ts';
import { F32, INT4, multiply } from './products.ts';

// Words of the block. Words that different threads write lie in different cache lines.
const TICKET = 0;
const DONE = 16;
const WAITING = 32;
const ASLEEP = 33;
const STOP = 34;
const FAILED = 35;
const COUNT = 48;
const TOTAL = 49;
const PRODUCTS = 64;
const FIELDS = 16;

/** Products between two rounds. */
export const MOST_PRODUCTS = 16;
export const BLOCK_BYTES = (PRODUCTS + MOST_PRODUCTS * FIELDS) * 4;
/** Pieces of a product: with the most products they still fit the ticket's 8 bits. */
const MOST_PIECES = 15;
/** Multiplications of a piece at least, about 2 us: less is not worth the compare-and-swap. */
const LEAST_MACS = 65536;
/** Outputs of a panel of weights (wasm/README.md): pieces are whole panels. */
const PANEL = 8;

/**
 * Looks at a word before a thread sleeps, 10 to 50 ns each. Together they take about as long as a forward of many positions
 * works between two rounds of products.
 */
const SPINS = 10000;
const pause: (() => void) | undefined = (Atomics as { pause?: () => void }).pause?.bind(Atomics);

export class Pieces {
  readonly #words: Int32Array;
  readonly #kernels: Kernels;
  readonly #panel: number;

  /** @param panel address of scratch for this thread alone, as `DirectProducts` wants it */
  constructor(memory: WebAssembly.Memory, block: number, kernels: Kernels, panel: number) {
    this.#words = new Int32Array(memory.buffer, block, BLOCK_BYTES / 4);
    this.#kernels = kernels;
    this.#panel = panel;
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
      try {
        this.#compute((words[TOTAL] as number) - left);
      } catch (error) {
        Atomics.store(words, FAILED, 1);
        onError(error);
      }
      Atomics.add(words, DONE, 1);
      if (Atomics.load(words, WAITING) === 1) Atomics.notify(words, DONE);
      return true;
    }
  }

  #compute(piece: number): void {
    const words = this.#words;
    let at = PRODUCTS;
    for (let last = PRODUCTS + ((words[COUNT] as number) - 1) * FIELDS; at < last; at += FIELDS) {
      if (piece < (words[at + FIELDS] as number)) break;
    }
    const field = (index: number) => words[at + index] as number;
    const span = field(1);
    const first = (piece - field(0)) * span;
    const n = Math.min(span, field(10) - first);
    const kind = field(2);
    const k = field(11);
    // The layouts keep rows of weights in order, panel by panel.
    const rowBytes = kind === F32 ? k * 4 : kind === INT4 ? k / 2 : k;
    multiply(
      this.#kernels,
      kind,
      field(3) + first * 4,
      field(4),
      field(5),
      field(6),
      field(7) + first * rowBytes,
      field(8) + (first * k) / 16,
      field(9),
      n,
      k,
      field(12),
      this.#panel,
    );
  }

  /**
   * Writes a product; its fields are those of `Products.add`.
   * @param before products and pieces written since the last round
   * @returns pieces of this product
   */
  write(
    before: { readonly products: number; readonly pieces: number },
    threads: number,
    product: readonly number[],
  ): number {
    const [, , , , , , , rows = 1, n = 1, k = 1, limbs = 1] = product;
    const most = Math.min(MOST_PIECES, threads * 4);
    const span = Math.max(n / most, LEAST_MACS / (rows * limbs * k));
    const whole = Math.ceil(span / PANEL) * PANEL;
    const at = PRODUCTS + before.products * FIELDS;
    this.#words[at] = before.pieces;
    this.#words[at + 1] = whole;
    this.#words.set(product, at + 2);
    return Math.ceil(n / whole);
  }

  /** Opens a round: from now on pieces can be taken. */
  open(products: number, pieces: number): void {
    const words = this.#words;
    words[COUNT] = products;
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
    const total = words[TOTAL] as number;
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
