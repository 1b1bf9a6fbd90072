/** Lets the requests of one isolate share forwards. */
import type { Advanced, DiffusionModel, KvCache, SequenceForward } from '../../model/model.ts';
import { nextMacrotask } from '../macrotask.ts';
import { type Entry, gather, positions } from './gather.ts';
import type { Lane, Load } from './lane.ts';
import { Seat } from './seat.ts';

type ServedModel = Pick<DiffusionModel, 'config' | 'maxForward' | 'batchRows' | 'costs' | 'forward'>;

/** Looks at an unchanged clock before a request stops waiting for others. */
const PATIENCE = 3;
/** Forwards that a request with work may leave unseen. One that lives looks after every forward. */
const MOST_UNSEEN = 16;

/**
 * Every request has a seat. It leaves its work there, and looks at the seat on macrotasks of its own. Whoever looks first
 * when all have left their work runs the forward for all of them, and leaves their answers. So nobody awaits another
 * request's promise: a host may end any request at any time, and waking one request from another is slower on workerd.
 *
 * A forward of the project's kernels is synchronous. Whoever runs it writes every answer before its next await, so it cannot
 * vanish half-way. The CPU time of the forward counts on the request that runs it.
 *
 * A runtime that takes one sequence at a time has turns: the request whose last forward is longest ago goes first.
 */
export class Scheduler {
  readonly #model: ServedModel;
  readonly #waiting = new Set<Seat>();
  /** Seats that had an answer from the last forward and have not been heard of since: they may be about to ask again. */
  #expected = new Set<Seat>();
  /** Forwards so far. */
  #clock = 0;
  #posted = 0;

  constructor(model: ServedModel) {
    this.#model = model;
  }

  /**
   * @param cache of the request; only its lane may use it from now on
   * @param macrotask of the request: its host may let none come any more
   */
  join(cache: KvCache, macrotask = nextMacrotask): Lane {
    const seat = new Seat(cache, this.#clock, macrotask);
    return {
      model: this.#model,
      cache,
      get load(): Load {
        return seat.load;
      },
      forward: (work, signal) => this.#forward(seat, { ...work, cache }, signal),
      leave: () => this.#forget(seat),
    };
  }

  async #forward(seat: Seat, work: SequenceForward, signal: AbortSignal): Promise<Advanced> {
    this.#expected.delete(seat);
    seat.post(work, this.#posted++);
    try {
      for (let clock = -1, unchanged = 0; ; clock = this.#clock) {
        if (seat.rest) this.#waiting.add(seat);
        await seat.macrotask();
        signal.throwIfAborted();
        seat.seen = this.#clock;
        unchanged = clock === this.#clock ? unchanged + 1 : 0;
        if (seat.rest && this.#isReady(seat, unchanged >= PATIENCE)) await this.#run(seat);
        if (seat.failure !== null) throw seat.failure;
        if (seat.answer) return seat.answer;
      }
    } finally {
      this.#waiting.delete(seat);
      seat.withdraw();
    }
  }

  /** Whether this seat runs the next forward now. @param patient it has waited long enough for those who have not come */
  #isReady(seat: Seat, patient: boolean): boolean {
    if (patient) this.#passOver(seat);
    if (this.#model.batchRows > 0) return this.#expected.size === 0;
    for (const other of this.#waiting) if (other.last < seat.last) return false;
    return true;
  }

  /** Stops waiting for requests that do not come. One that still lives is back at its next look. */
  #passOver(seat: Seat): void {
    this.#expected.clear();
    if (this.#model.batchRows > 0) return;
    for (const other of this.#waiting) if (other.last < seat.last) this.#waiting.delete(other);
  }

  /** A runtime that computes synchronously has returned when this comes to its first await. */
  async #run(runner: Seat): Promise<void> {
    const batch = gather(this.#model, this.#model.batchRows > 0 ? this.#waiting : [runner]);
    this.#clock += 1;
    for (const { seat } of batch) {
      seat.last = this.#clock;
      this.#waiting.delete(seat);
    }
    await this.#execute(batch);
  }

  async #execute(batch: readonly Entry[]): Promise<void> {
    try {
      const running = this.#model.forward(batch.map(({ piece }) => piece));
      this.#deliver(batch, running instanceof Promise ? await running : running);
    } catch (error) {
      // One request's fault is not the others': each runs alone.
      if (batch.length === 1) batch[0]!.seat.fail(error);
      else for (const entry of batch) await this.#execute([entry]);
    }
  }

  #deliver(batch: readonly Entry[], answers: readonly Advanced[]): void {
    const rows = batch.reduce((sum, entry) => sum + positions(entry), 0);
    const decoding = batch.filter(({ piece }) => piece.ask.rows !== 'none').length;
    for (const [i, entry] of batch.entries()) {
      const { seat, piece } = entry;
      seat.load = { rows: rows - positions(entry), tokens: decoding - (piece.ask.rows !== 'none' ? 1 : 0) };
      seat.take(entry, answers[i]!);
      if (seat.rest) this.#waiting.add(seat);
      else if (this.#model.batchRows > 0) this.#expected.add(seat);
    }
    this.#dropUnseen();
  }

  /** Requests that the host has ended while they waited: nobody runs their work any more. */
  #dropUnseen(): void {
    for (const seat of this.#waiting) if (this.#clock - seat.seen > MOST_UNSEEN) this.#waiting.delete(seat);
  }

  #forget(seat: Seat): void {
    this.#waiting.delete(seat);
    this.#expected.delete(seat);
  }
}
