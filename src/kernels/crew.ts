/** Runs the parts of a forward on several threads over one shared memory. The calling thread and its helpers each take pieces. */
import { type Arena, align } from './arena.ts';
import { attentionOfPiece, outputsOfPiece, rowsOfPiece } from './cut.ts';
import type { Kernels } from './kernels.ts';
import { BLOCK_BYTES, MOST_TASKS, Pieces } from './pieces.ts';
import { NORM, PREDICT, QUANTIZE, SWIGLU } from './tasks.ts';
import { DirectWork, type Work } from './work.ts';

/** Everything that a helper needs. It can be posted to another thread. */
export interface HelperTask {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Addresses of the block of `Pieces` and of the helper's scratch. */
  readonly block: number;
  readonly scratch: number;
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

/**
 * Times of a number of a row that becomes a record, in multiplications of a product. With `LEAST_MACS` they say from how many rows
 * on threads share it: `npm run bench -- profile` shows the times.
 */
const QUANTIZE_MACS = 30;
const NORM_MACS = 40;
const SWIGLU_MACS = 100;
/** The same for a multiplication of attention. */
const ATTENTION_MACS = 2;

/** Arena bytes that a crew takes. @param scratchBytes of one thread */
export function crewBytes(threads: number, scratchBytes: number): number {
  return align(BLOCK_BYTES) + (threads - 1) * align(scratchBytes);
}

export class Crew implements Work {
  readonly #pieces: Pieces;
  readonly #threads: number;
  readonly #alone: DirectWork;
  #helpers: readonly Helper[] = [];
  #tasks = 0;
  #total = 0;
  #failure: unknown = null;
  #closed = false;

  /**
   * @param arena shared, with room for `crewBytes`
   * @param module of `kernels`
   * @param scratch this thread's, of `scratchBytes`
   */
  static async start(
    { count, start }: Threads,
    arena: Arena,
    module: WebAssembly.Module,
    kernels: Kernels,
    scratch: number,
    scratchBytes: number,
  ): Promise<Crew> {
    const block = arena.take(BLOCK_BYTES);
    const crew = new Crew(new Pieces(arena.memory, block, kernels, scratch), count, new DirectWork(kernels, scratch));
    const tasks = Array.from({ length: count - 1 }, () => ({
      module,
      memory: arena.memory,
      block,
      scratch: arena.take(scratchBytes),
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

  private constructor(pieces: Pieces, threads: number, alone: DirectWork) {
    this.#pieces = pieces;
    this.#threads = threads;
    this.#alone = alone;
  }

  add(...product: Parameters<Work['add']>): void {
    const [kind, , , , , , , rows, n, k, limbs] = product;
    const outputs = outputsOfPiece(this.#threads, rows, n, k, limbs);
    this.#write(Math.ceil(n / outputs), outputs, kind, product.slice(1));
  }

  attend(...[kind, ...task]: Parameters<Work['attend']>): void {
    const [, , , , , , rows, heads, kvHeads, d, , tokens] = task;
    const macs = ATTENTION_MACS * 2 * rows * heads * d * tokens;
    const piece = attentionOfPiece(this.#threads, rows, kvHeads, macs);
    const pieces = Math.ceil(kvHeads / piece.heads) * Math.ceil(rows / piece.rows);
    this.#write(pieces, piece.rows, kind, [...task.slice(0, -1), piece.heads]);
  }

  predict(...task: Parameters<Work['predict']>): void {
    this.#write(1, 1, PREDICT, task, [4, 6, 7]);
  }

  quantize(...task: Parameters<Work['quantize']>): void {
    const [, , rows, k] = task;
    if (!this.#rows(QUANTIZE, rows, k * QUANTIZE_MACS, task)) this.#alone.quantize(...task);
  }

  normAndQuantize(...task: Parameters<Work['normAndQuantize']>): void {
    const [, , , rows, d] = task;
    if (!this.#rows(NORM, rows, d * NORM_MACS, task, [5])) this.#alone.normAndQuantize(...task);
  }

  swigluAndQuantize(...task: Parameters<Work['swigluAndQuantize']>): void {
    const [, , rows, n] = task;
    if (!this.#rows(SWIGLU, rows, n * SWIGLU_MACS, task)) this.#alone.swigluAndQuantize(...task);
  }

  /**
   * A round of one task.
   * @param macs time of a row, in multiplications of a product
   * @returns false, and does nothing, where the rows are one piece
   */
  #rows(kind: number, rows: number, macs: number, task: readonly number[], floats?: readonly number[]): boolean {
    const span = rowsOfPiece(this.#threads, rows, macs);
    if (span >= rows) return false;
    this.#write(Math.ceil(rows / span), span, kind, task, floats);
    this.finish();
    return true;
  }

  #write(pieces: number, span: number, kind: number, task: readonly number[], floats?: readonly number[]): void {
    if (this.#tasks === MOST_TASKS) this.finish();
    this.#pieces.write(this.#tasks, this.#total, span, kind, task, floats);
    this.#total += pieces;
    this.#tasks++;
  }

  /** @throws Error when a thread failed, now or before: its part of the output is missing */
  finish(): void {
    const tasks = this.#tasks;
    const total = this.#total;
    if (tasks === 0) return;
    this.#tasks = 0;
    this.#total = 0;
    this.#requireWhole();
    const onError = (error: unknown) => this.#fail(error);
    if (total === 1) {
      this.#pieces.workAlone(tasks, total, onError);
    } else {
      this.#pieces.open(tasks, total);
      while (this.#pieces.work(onError));
      if (!this.#pieces.wait(PATIENCE_MS)) this.#fail(new Error(`no answer for ${PATIENCE_MS / 1000} s`));
    }
    this.#requireWhole();
  }

  /** Ends the helpers. Safe to call twice; every task after it throws. */
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
