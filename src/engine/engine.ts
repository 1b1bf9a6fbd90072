import type { DiffusionModel } from '../model/model.ts';
import { DraftAcceptance } from '../sampler/drafts/learned.ts';
import { nextMacrotask } from '../sampler/macrotask.ts';
import { Scheduler } from '../sampler/scheduling/scheduler.ts';
import { createCacheIfRoom } from './admission.ts';
import { Admitted } from './admitted.ts';
import { editJob } from './editing/edit.ts';
import { fitToContext, generationJob } from './generation/job.ts';
import type { EngineEvent, EngineJob, EngineRequest } from './job.ts';
import { type QueueLimits, RequestQueue } from './queue.ts';
import type { GenerateRequest } from './request.ts';
import type { Tokenizer } from './tokenizer/tokenizer.ts';

/** How often a request that waits looks for others whose host has ended them. */
const SWEEP_MS = 1000;

/** Text in, events out, on one model. */
export class Engine {
  readonly model: DiffusionModel;
  readonly queue: RequestQueue;
  readonly tokenizer: Tokenizer;
  readonly #scheduler: Scheduler;
  readonly #acceptance = new DraftAcceptance();

  constructor(model: DiffusionModel, tokenizer: Tokenizer, limits: QueueLimits) {
    this.model = model;
    this.tokenizer = tokenizer;
    this.queue = new RequestQueue(limits);
    this.#scheduler = new Scheduler(model);
  }

  /**
   * Refuses what it must before any work, so that a server can still answer 4xx or 5xx. Then waits for room in the queue.
   * A caller that waits while it holds another request's memory can wait for itself.
   * @param client whose request it is. Opaque; clients have equal shares of places and memory.
   * @returns the request with its memory; the caller runs or releases it
   * @throws what `check` does
   * @throws BusyError when too many wait already, or there is no room in time
   * @throws the signal's reason on abort while it waits
   */
  async admit(
    request: EngineRequest,
    signal: AbortSignal = new AbortController().signal,
    client = '',
  ): Promise<Admitted> {
    const job = this.#plan(request);
    const take = (urgent: boolean) => {
      if (!this.#scheduler.hasRoom(client, job.first, urgent)) return null;
      return createCacheIfRoom(this.model, job);
    };
    const sweeping = setInterval(() => this.#scheduler.sweep(), SWEEP_MS);
    const place = await this.queue.enter(take, signal, client).finally(() => clearInterval(sweeping));
    const lane = this.#scheduler.join({
      cache: place.room,
      client,
      macrotask: nextMacrotask,
      gone: () => place.leave(),
    });
    place.onPause = (paused) => lane.pause(paused);
    return new Admitted(place, job, lane);
  }

  /**
   * Refuses what `admit` would refuse for good. Waits for nothing and takes nothing.
   * @throws RequestError on a request that can never be served (see `generationJob` and `editJob`)
   */
  check(request: EngineRequest): void {
    this.#plan(request);
  }

  /** Cuts `maxTokens` to what the prompt leaves of the context. A prompt that leaves nothing is for `admit` to refuse. */
  fit(request: GenerateRequest): GenerateRequest {
    return fitToContext(request, this.model, this.tokenizer);
  }

  #plan(request: EngineRequest): EngineJob {
    const { model, tokenizer } = this;
    return request.kind === 'edit'
      ? editJob(request, model, tokenizer)
      : generationJob(request, model, tokenizer, this.#acceptance);
  }

  /** `admit` and `run` in one: the first `next()` throws what `admit` throws. */
  async *generate(request: EngineRequest, signal?: AbortSignal): AsyncGenerator<EngineEvent, void, void> {
    yield* (await this.admit(request, signal)).run(signal);
  }
}
