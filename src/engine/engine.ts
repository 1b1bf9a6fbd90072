import type { DiffusionModel } from '../model/model.ts';
import { Turns } from '../sampler/turns.ts';
import { Acceptance } from '../sampler/width.ts';
import { createCacheIfRoom, tokensNeeded } from './admission.ts';
import { Admitted } from './admitted.ts';
import { planEdit, runEdit } from './editing/edit.ts';
import type { EditEvent, EditRequest } from './editing/edit-request.ts';
import { type GenerationPlan, generate } from './generation/generate.ts';
import { infillPrompt, requireInfill } from './generation/infill.ts';
import { planBlocks } from './generation/plan.ts';
import { promptIds } from './generation/prompt.ts';
import { requireMayFit } from './generation/prompt-length.ts';
import { type HealedPrompt, healPrompt } from './generation/token-healing.ts';
import { type QueueLimits, RequestQueue } from './queue.ts';
import type { EngineEvent, GenerateRequest } from './request.ts';
import type { TextKind, Tokenizer } from './tokenizer/tokenizer.ts';

/** Text in, events out, on one model. */
export class Engine {
  readonly model: DiffusionModel;
  readonly queue: RequestQueue;
  readonly tokenizer: Tokenizer;
  readonly #turns = new Turns();
  readonly #acceptance = new Acceptance(DRAFTS_HOLD);

  constructor(model: DiffusionModel, tokenizer: Tokenizer, limits: QueueLimits) {
    this.model = model;
    this.tokenizer = tokenizer;
    this.queue = new RequestQueue(limits);
  }

  /**
   * Everything that can be refused, before any work: a server can still answer 4xx or 5xx. Waits for room in the queue.
   * A caller that waits while it holds another request's memory can wait for itself.
   * @returns the request with its memory; the caller runs or releases it
   * @throws what `check` does
   * @throws BusyError when too many wait already, or there is no room in time
   * @throws the signal's reason on abort while it waits
   */
  async admit(
    request: GenerateRequest,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<Admitted<EngineEvent>> {
    const { model, tokenizer } = this;
    const { plan, tokens } = this.#plan(request);
    // What was reused would not be run, so nothing could be said of it.
    const prefix = request.logprobs?.prompt ? undefined : { ids: plan.prompt, key: request.cacheKey };
    const place = await this.queue.enter(() => createCacheIfRoom(model, tokens, prefix), signal);
    const turn = this.#turns.join();
    return new Admitted(place, plan.promptTokens, (signal) =>
      generate(model, tokenizer, plan, place.room, turn, signal),
    );
  }

  /**
   * What `admit` would refuse for good, without waiting and without taking anything.
   * @throws RequestError on a request that can never be served (see `requireMayFit`, `planBlocks`, `promptIds` and `tokensNeeded`)
   */
  check(request: GenerateRequest): void {
    this.#plan(request);
  }

  #plan(request: GenerateRequest): { readonly plan: GenerationPlan; readonly tokens: number } {
    const { model } = this;
    const { ids, beginning } = this.#prompt(request);
    // Something has to predict the first id.
    const prompt = ids.length > 0 ? ids : Int32Array.of(model.config.startTokenId);
    const settings = planBlocks(request, model, this.#acceptance, prompt.length);
    const tokens = tokensNeeded(model, request, prompt.length);
    return { plan: { request, settings, prompt, promptTokens: ids.length, beginning }, tokens };
  }

  #prompt(request: GenerateRequest): HealedPrompt {
    const { config } = this.model;
    const { context, prompt, suffix } = request;
    // A hole has a frame of its own, around text that is nothing but text.
    const kind = suffix === null ? request.textKind : 'content';
    const ids = (part: string | Int32Array, param: string, as: TextKind) => {
      if (typeof part === 'string') requireMayFit(part, param, this);
      return promptIds(part, as, this.tokenizer, config);
    };
    const others = ids(context, 'prompt', 'content');
    const { ids: prefix, beginning } = this.#healed(request, ids(prompt, 'prompt', kind), kind);
    if (suffix === null) {
      const first = kind === 'content' && typeof prompt === 'string' ? this.tokenizer.firstTokens : [];
      return { ids: Int32Array.from([...first, ...others, ...prefix]), beginning };
    }
    const hole = { context: others, prefix, suffix: ids(suffix, 'suffix', 'content') };
    return { ids: infillPrompt(hole, requireInfill(config), config.startTokenId), beginning };
  }

  #healed(
    { prompt, tokenHealing, maxTokens, logprobs }: GenerateRequest,
    ids: Int32Array,
    kind: TextKind,
  ): HealedPrompt {
    // Who asks about the prompt's tokens means all of them.
    const heals = tokenHealing && typeof prompt === 'string' && maxTokens > 0 && !logprobs?.prompt;
    return heals ? healPrompt(prompt, ids, kind, this.tokenizer) : { ids, beginning: null };
  }

  /** The same for an edit of code. Nothing of it is kept for other requests. @throws what `planEdit` does, and as `admit` */
  async admitEdit(
    request: EditRequest,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<Admitted<EditEvent>> {
    const { model } = this;
    const plan = planEdit(request, this.tokenizer, model);
    const place = await this.queue.enter(() => createCacheIfRoom(model, plan.maxTokens), signal);
    const turn = this.#turns.join();
    return new Admitted(place, plan.text.promptTokens, (signal) => runEdit(model, plan, place.room, turn, signal));
  }

  /** `admit` and `run` in one: what `admit` throws comes out of the first `next()`. */
  async *generate(request: GenerateRequest, signal?: AbortSignal): AsyncGenerator<EngineEvent, void, void> {
    yield* (await this.admit(request, signal)).run(signal);
  }
}

/** Share of drafts that a new engine expects to hold. */
const DRAFTS_HOLD = 0.5;
