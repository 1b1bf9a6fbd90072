/** Lets the requests of one isolate share forwards. */
import type { Advanced, DiffusionModel, SequenceForward } from '../../model/model.ts';
import { type Entry, gather, positions, tokensOf } from './gather.ts';
import type { Lane, Load } from './lane.ts';
import { Memory, type Use } from './memory.ts';
import { type Guest, Seat } from './seat.ts';

type ServedModel = Pick<
  DiffusionModel,
  'config' | 'maxForward' | 'batchRows' | 'costs' | 'forward' | 'freeTokens' | 'maxTokens'
>;

/** Looks at an unchanged clock before a request stops waiting for others. */
const PATIENCE = 3;
/** How long a request that was missed has left to be seen. */
const SUSPECT_MS = 2000;
/** Looks at an unchanged clock before a request that cannot run looks less often. */
const RESTLESS = 16;
const REST_MS = 10;
/** Forwards that a request with work may leave unseen. One that lives looks after every forward. */
const MOST_UNSEEN = 16;
/** Every request is seen once a second at least (`Lane.see`), unless the thread stands still. */
const MOST_UNSEEN_MS = 10_000;

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
  readonly #memory: Memory;
  readonly #seats = new Set<Seat>();
  readonly #waiting = new Set<Seat>();
  /** Seats that had an answer from the last forward and have not been heard of since: they may be about to ask again. */
  readonly #expected = new Set<Seat>();
  /** Forwards so far. */
  #clock = 0;
  #posted = 0;
  #joined = 0;

  constructor(model: ServedModel) {
    this.#model = model;
    this.#memory = new Memory(model, this.#seats, (seat) => this.#useOf(seat));
  }

  join(guest: Guest): Lane {
    const seat = new Seat(guest, this.#joined++, this.#clock);
    this.#seats.add(seat);
    return {
      model: this.#model,
      cache: guest.cache,
      get load(): Load {
        return seat.load;
      },
      forward: (work, signal) => this.#forward(seat, { ...work, cache: seat.cache }, signal),
      see: () => seat.see(this.#clock),
      pause: (paused) => this.#pause(seat, paused),
      leave: () => this.#forget(seat),
    };
  }

  /** Room for a request that is about to join (`Memory.hasRoom`). */
  hasRoom(client: string, tokens: number, urgent: boolean): boolean {
    return this.#memory.hasRoom(client, tokens, urgent);
  }

  /** Drops requests that their host has ended. Forwards do it too, but there may be none. */
  sweep(): void {
    const now = performance.now();
    for (const seat of this.#seats) {
      if (this.#useOf(seat) === 'gone') this.#drop(seat);
      else if (now - seat.seenMs > MOST_UNSEEN_MS) seat.suspectMs ??= now;
    }
  }

  async #forward(seat: Seat, work: SequenceForward, signal: AbortSignal): Promise<Advanced> {
    this.#expected.delete(seat);
    seat.post(work, this.#posted++);
    try {
      let stuck = false;
      for (let clock = -1, unchanged = 0; ; clock = this.#clock) {
        this.#seats.add(seat);
        if (seat.isBusy) this.#waiting.add(seat);
        // Paused, or without memory, it looks now and then.
        await (unchanged > RESTLESS && (seat.paused || stuck) ? rest(signal) : seat.macrotask());
        signal.throwIfAborted();
        seat.see(this.#clock);
        unchanged = clock === this.#clock ? unchanged + 1 : 0;
        if (seat.isBusy && this.#isReady(seat, unchanged >= PATIENCE)) {
          const before = this.#clock;
          const running = this.#run(seat);
          if (running) await running;
          stuck = this.#clock === before;
        }
        if (seat.failure !== null) throw seat.failure;
        if (seat.answer) return seat.answer;
      }
    } finally {
      this.#waiting.delete(seat);
      seat.clear();
    }
  }

  /** Whether this seat runs the next forward now. @param patient it has waited long enough for those who have not come */
  #isReady(seat: Seat, patient: boolean): boolean {
    if (patient) this.#passOver(seat);
    if (seat.paused) return false;
    if (this.#model.batchRows > 0) return this.#expected.size === 0;
    for (const other of this.#waiting) if (!other.paused && other.last < seat.last) return false;
    return true;
  }

  /** Stops waiting for requests that do not come. One that still lives is back at its next look. */
  #passOver(seat: Seat): void {
    this.#expected.clear();
    if (this.#model.batchRows > 0) return;
    for (const other of this.#waiting) if (other.last < seat.last) this.#waiting.delete(other);
  }

  /** @returns nothing where the runtime computes synchronously: all is done then */
  #run(runner: Seat): Promise<void> | undefined {
    const seats = this.#model.batchRows > 0 ? [...this.#waiting].filter(({ paused }) => !paused) : [runner];
    const batch = gather(this.#model, seats, this.#memory);
    if (batch.length === 0) return undefined;
    this.#clock += 1;
    for (const { seat } of batch) {
      seat.last = this.#clock;
      this.#waiting.delete(seat);
    }
    return this.#execute(batch);
  }

  #execute(batch: readonly Entry[]): Promise<void> | undefined {
    let running: ReturnType<ServedModel['forward']>;
    try {
      running = this.#model.forward(batch.map(({ piece }) => piece));
    } catch (error) {
      this.#fail(batch, error);
      return undefined;
    }
    if (!(running instanceof Promise)) {
      this.#deliver(batch, running);
      return undefined;
    }
    return running.then(
      (answers) => this.#deliver(batch, answers),
      (error) => this.#fail(batch, error),
    );
  }

  /** One request's fault is not the others': each runs alone. */
  #fail(batch: readonly Entry[], error: unknown): void {
    if (batch.length === 1) batch[0]!.seat.fail(error);
    else for (const entry of batch) void this.#execute([entry]);
  }

  #deliver(batch: readonly Entry[], answers: readonly Advanced[]): void {
    const rows = batch.reduce((sum, entry) => sum + positions(entry), 0);
    const tokens = batch.reduce((sum, entry) => sum + tokensOf(entry), 0);
    for (const [i, entry] of batch.entries()) {
      const { seat } = entry;
      seat.load = { rows: rows - positions(entry), tokens: tokens - tokensOf(entry) };
      seat.take(entry, answers[i]!);
      if (seat.isBusy) this.#waiting.add(seat);
      else if (this.#model.batchRows > 0) this.#expected.add(seat);
    }
    this.sweep();
  }

  #useOf(seat: Seat): Use {
    if (seat.isLooking && this.#clock - seat.seen > MOST_UNSEEN) return 'gone';
    if (seat.suspectMs !== null && performance.now() - seat.suspectMs > SUSPECT_MS) return 'gone';
    return seat.isLooking || this.#expected.has(seat) ? 'busy' : 'idle';
  }

  /** Its work no longer runs, and its pages are free. A request that lives after all has its tokens run again. */
  #drop(seat: Seat): void {
    this.#forget(seat);
    if (!seat.cache.suspended && !seat.cache.suspend()) seat.cache.free();
    seat.drop();
  }

  #pause(seat: Seat, paused: boolean): void {
    seat.paused = paused;
    if (paused) this.#expected.delete(seat);
  }

  #forget(seat: Seat): void {
    this.#seats.delete(seat);
    this.#waiting.delete(seat);
    this.#expected.delete(seat);
  }
}

/** A while, or until an abort. */
function rest(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, REST_MS);
    signal.addEventListener('abort', end);
  });
}
