/**
 * Runs matrix products on several threads over one shared memory. The calling thread and its helpers each take pieces
 * of the outputs.
 */
import { type Arena, align } from './arena.ts';
import type { Kernels } from './kernels.ts';
import { BLOCK_BYTES, MOST_PRODUCTS, Pieces } from './pieces.ts';
import type { ProductKind, Products } from './products.ts';

/** Everything that a helper needs. It can be posted to another thread. */
export interface HelperTask {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Addresses of the block of `Pieces` and of the helper's scratch. */
  readonly block: number;
  readonly panel: number;
}

export interface Helper {
  /** Resolves once the thread has ended, after `Crew` told it to. */
  ended(): Promise<void>;
}

export interface Threads {
  /** Number of threads, this one included: 2 or more. */
  readonly count: number;
  /**
   * Starts a thread that runs `help` and resolves when it is ready.
   * @param onFailure called when the thread ends on its own or has an error
   */
  start(task: HelperTask, onFailure: (error: unknown) => void): Promise<Helper>;
}

/** Milliseconds after which a helper that has not finished its piece is given up. */
const PATIENCE_MS = 30_000;

/** Arena bytes that a crew takes. @param panelBytes scratch of one thread */
export function crewBytes(threads: number, panelBytes: number): number {
  return align(BLOCK_BYTES) + (threads - 1) * align(panelBytes);
}

export class Crew implements Products {
  readonly #pieces: Pieces;
  readonly #threads: number;
  #helpers: readonly Helper[] = [];
  #products = 0;
  #total = 0;
  #failure: unknown = null;
  #closed = false;

  /**
   * @param arena shared, with room for `crewBytes`
   * @param module of `kernels`
   * @param panel this thread's scratch of `panelBytes`
   */
  static async start(
    { count, start }: Threads,
    arena: Arena,
    module: WebAssembly.Module,
    kernels: Kernels,
    panel: number,
    panelBytes: number,
  ): Promise<Crew> {
    const block = arena.take(BLOCK_BYTES);
    const crew = new Crew(new Pieces(arena.memory, block, kernels, panel), count);
    const tasks = Array.from({ length: count - 1 }, () => ({
      module,
      memory: arena.memory,
      block,
      panel: arena.take(panelBytes),
    }));
    const started = await Promise.allSettled(tasks.map((task) => start(task, (error) => crew.#fail(error))));
    crew.#helpers = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    const refused = started.find((result) => result.status === 'rejected');
    if (refused) {
      await crew.close();
      throw new Error('a kernel thread did not start', { cause: refused.reason });
    }
    return crew;
  }

  private constructor(pieces: Pieces, threads: number) {
    this.#pieces = pieces;
    this.#threads = threads;
  }

  add(
    kind: ProductKind,
    ...rest: [number, number, 0 | 1, number, number, number, number, number, number, 1 | 2]
  ): void {
    if (this.#products === MOST_PRODUCTS) this.finish();
    this.#total += this.#pieces.write({ products: this.#products, pieces: this.#total }, this.#threads, [
      kind,
      ...rest,
    ]);
    this.#products++;
  }

  /** @throws Error when a thread failed, now or before: its part of the output is missing */
  finish(): void {
    const products = this.#products;
    const total = this.#total;
    if (products === 0) return;
    this.#products = 0;
    this.#total = 0;
    this.#requireWhole();
    this.#pieces.open(products, total);
    while (this.#pieces.work((error) => this.#fail(error)));
    if (!this.#pieces.wait(PATIENCE_MS)) this.#fail(new Error(`no answer for ${PATIENCE_MS / 1000} s`));
    this.#requireWhole();
  }

  /** Ends the helpers. Safe to call twice; every product after it throws. */
  async close(): Promise<void> {
    if (!this.#closed) this.#pieces.stop();
    this.#closed = true;
    await Promise.all(this.#helpers.map((helper) => helper.ended()));
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
  }

  #requireWhole(): void {
    if (this.#closed) throw new Error('the kernel threads were closed');
    if (this.#failure !== null || this.#pieces.failed) {
      throw new Error('a kernel thread failed: the model has to be loaded again', { cause: this.#failure });
    }
  }
}
