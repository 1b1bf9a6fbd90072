/** A request that holds its memory. This is the one place that frees it. */
import type { KvCache } from '../model/model.ts';
import type { Lane } from '../sampler/scheduling/lane.ts';
import type { EngineEvent, EngineJob } from './job.ts';
import type { Place } from './queue.ts';

/** How often a request says that it lives, while its client reads slowly. */
const PULSE_MS = 1000;

/** A request that has its memory. It ends with the events of `run` or with `release`, whichever comes first. */
export class Admitted {
  /** Tokens of the prompt. The start token that stands in for an empty one is not counted. */
  readonly promptTokens: number;
  /** Tokens of the prompt whose KV an earlier request had left. */
  readonly cachedTokens: number;

  readonly #place: Place<KvCache>;
  readonly #job: EngineJob;
  readonly #lane: Lane;
  #state: 'waiting' | 'started' | 'released' = 'waiting';
  #events: AsyncGenerator<EngineEvent, void, void> | null = null;

  /**
   * Takes over the place and its cache.
   * @param job may use the cache until its events end
   * @param lane of the place's cache
   */
  constructor(place: Place<KvCache>, job: EngineJob, lane: Lane) {
    this.#place = place;
    this.#job = job;
    this.#lane = lane;
    this.promptTokens = job.promptTokens;
    this.cachedTokens = place.room.length;
  }

  /**
   * Does the work, once. The memory is freed when the events end: by the last one, an error, an abort or `return()`.
   * @throws the signal's reason on abort, within one forward; and whatever the model throws
   */
  run(signal: AbortSignal = new AbortController().signal): AsyncGenerator<EngineEvent, void, void> {
    if (this.#events !== null || this.#state !== 'waiting') throw new Error('an admitted request runs once');
    const events = this.#run(signal);
    // A generator that was never started skips its `finally` on return().
    const finish = events.return.bind(events);
    events.return = (value) => {
      if (this.#state === 'waiting') this.#free();
      return finish(value);
    };
    this.#events = events;
    return events;
  }

  /** Gives the memory back, once a forward that is under way has ended. Safe to call again, and after `run` ended. */
  async release(): Promise<void> {
    if (this.#events !== null) await this.#events.return();
    else if (this.#state === 'waiting') this.#free();
  }

  #free(): void {
    this.#state = 'released';
    this.#lane.leave();
    try {
      this.#place.room.free();
    } finally {
      this.#place.leave();
    }
  }

  async *#run(signal: AbortSignal): AsyncGenerator<EngineEvent, void, void> {
    this.#state = 'started';
    // A host that ends a request ends its timers too.
    const pulse = setInterval(() => this.#lane.see(), PULSE_MS);
    try {
      yield* this.#job.run(this.#lane, signal);
    } finally {
      clearInterval(pulse);
      this.#free();
    }
  }
}
