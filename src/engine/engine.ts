import { type ModelConfig, uncommittedPrompt } from '../model/config.ts';
import type { DiffusionModel, KvCache } from '../model/model.ts';
import { type BlockSettings, sampleBlocks } from '../sampler/block-sampler.ts';
import { createDraw } from '../sampler/draw.ts';
import { Forwards } from '../sampler/forwards.ts';
import { Turns } from '../sampler/turns.ts';
import { Acceptance } from '../sampler/width.ts';
import { createCacheIfRoom, tokensNeeded } from './admission.ts';
import { CompletionText } from './completion-text.ts';
import { AdmittedEdit, planEdit } from './edit.ts';
import type { EditRequest } from './edit-request.ts';
import { endingAtMiddle, infillPrompt, requireInfill, suffixStop } from './infill.ts';
import { planBlocks } from './plan.ts';
import { promptIds } from './prompt.ts';
import { type Place, type QueueLimits, RequestQueue } from './queue.ts';
import type { EngineEvent, GenerateRequest } from './request.ts';
import type { Tokenizer } from './tokenizer.ts';

/** Text in, events out, on one model. */
export class Engine {
  readonly model: DiffusionModel;
  readonly queue: RequestQueue;
  readonly #tokenizer: Tokenizer;
  readonly #turns = new Turns();
  readonly #acceptance = new Acceptance(DRAFTS_HOLD);

  constructor(model: DiffusionModel, tokenizer: Tokenizer, limits: QueueLimits) {
    this.model = model;
    this.#tokenizer = tokenizer;
    this.queue = new RequestQueue(limits);
  }

  /**
   * Everything that can be refused, before any work: a server can still answer 4xx or 5xx. Waits for room in the queue.
   * A caller that waits while it holds another request's memory can wait for itself.
   * @returns the request with its memory; the caller runs or releases it
   * @throws RequestError on a request that can never be served (see `promptIds` and `tokensNeeded`)
   * @throws BusyError when too many wait already, or there is no room in time
   * @throws the signal's reason on abort while it waits
   */
  async admit(request: GenerateRequest, signal: AbortSignal = new AbortController().signal): Promise<Admitted> {
    const { model } = this;
    const prompt = this.#prompt(request);
    // Something has to predict the first id.
    const committed = prompt.length > 0 ? prompt : Int32Array.of(model.config.startTokenId);
    const settings = planBlocks(request, model, this.#acceptance, committed.length);
    const tokens = tokensNeeded(model, request, committed.length);
    const prefix = { ids: committed, key: request.cacheKey };
    const place = await this.queue.enter(() => createCacheIfRoom(model, tokens, prefix), signal);
    const turn = this.#turns.join();
    return new Admitted(model, this.#tokenizer, request, settings, place, turn, committed, prompt.length);
  }

  #prompt({ prompt, suffix }: GenerateRequest): Int32Array {
    const { config } = this.model;
    const ids = promptIds(prompt, this.#tokenizer, config);
    if (suffix === null) return ids;
    return infillPrompt(ids, promptIds(suffix, this.#tokenizer, config), requireInfill(config));
  }

  /** The same for an edit of code. Nothing of it is kept for other requests. @throws what `planEdit` does, and as `admit` */
  async admitEdit(request: EditRequest, signal: AbortSignal = new AbortController().signal): Promise<AdmittedEdit> {
    const plan = planEdit(request, this.#tokenizer, this.model);
    const place = await this.queue.enter(() => createCacheIfRoom(this.model, plan.maxTokens), signal);
    return new AdmittedEdit(this.model, plan, place, this.#turns.join());
  }

  /** `admit` and `run` in one: what `admit` throws comes out of the first `next()`. */
  async *generate(request: GenerateRequest, signal?: AbortSignal): AsyncGenerator<EngineEvent, void, void> {
    yield* (await this.admit(request, signal)).run(signal);
  }
}

/** A request that has its memory. It ends with the events of `run` or with `release`, whichever comes first. */
export class Admitted {
  /** Tokens of the prompt; the start token that stands in for an empty one is not counted. */
  readonly promptTokens: number;
  /** Of those, tokens whose KV an earlier request had left. */
  readonly cachedTokens: number;

  readonly #model: DiffusionModel;
  readonly #tokenizer: Tokenizer;
  readonly #request: GenerateRequest;
  readonly #settings: BlockSettings;
  readonly #place: Place<KvCache>;
  readonly #cache: KvCache;
  readonly #turn: () => Promise<void>;
  readonly #prompt: Int32Array; // (P), P > 0
  #state: 'waiting' | 'started' | 'released' = 'waiting';
  #events: AsyncGenerator<EngineEvent, void, void> | null = null;

  /** Takes over the place and its cache. Made by `Engine.admit`. */
  constructor(
    model: DiffusionModel,
    tokenizer: Tokenizer,
    request: GenerateRequest,
    settings: BlockSettings,
    place: Place<KvCache>,
    turn: () => Promise<void>,
    prompt: Int32Array,
    promptTokens: number,
  ) {
    this.#model = model;
    this.#tokenizer = tokenizer;
    this.#request = request;
    this.#settings = settings;
    this.#place = place;
    this.#cache = place.room;
    this.#turn = turn;
    this.#prompt = prompt;
    this.promptTokens = promptTokens;
    this.cachedTokens = place.room.length;
  }

  /**
   * Generates, once. The memory is freed when the events end: by the last one, an error, an abort or `return()`.
   *
   * `usage.completionTokens` counts the ids before an EOS, or those up to the one that completes a stop string.
   * `cost` milliseconds are spent in this generator, not in its consumer; a clock that stands still during
   * computation (deployed Workers) makes them 0.
   * @throws the signal's reason on abort, within one forward; and whatever the model throws
   */
  run(signal: AbortSignal = new AbortController().signal): AsyncGenerator<EngineEvent, void, void> {
    if (this.#events !== null || this.#state !== 'waiting') throw new Error('an admitted request runs once');
    const events = this.#generate(signal);
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
    try {
      this.#cache.free();
    } finally {
      this.#place.leave();
    }
  }

  async *#generate(signal: AbortSignal): AsyncGenerator<EngineEvent, void, void> {
    this.#state = 'started';
    try {
      yield* this.#decode(signal);
    } finally {
      this.#free();
    }
  }

  async *#decode(signal: AbortSignal): AsyncGenerator<EngineEvent, void, void> {
    const { stop, suffix } = this.#request;
    const forwards = new Forwards(this.#model, this.#cache, createDraw(this.#request), signal, this.#turn);
    const stops = suffix === null ? stop : [...stop, ...suffixStop(suffix)];
    const text = new CompletionText(this.#tokenizer, stops, suffix ?? '');

    const clean = this.#prompt.length - uncommittedPrompt(this.#model.config, this.#prompt.length);
    let start = performance.now();
    // Behind uncommitted tokens there may be nothing left to run: then nothing is missing either.
    const first = this.#cache.length >= clean ? null : await forwards.prefill(this.#prompt.subarray(0, clean));
    const prefillMs = performance.now() - start;

    let decodeMs = 0;
    start = performance.now();
    const lead = this.#prompt.subarray(clean);
    for await (const event of sampleBlocks(forwards, this.#endings(), this.#settings, first, lead)) {
      decodeMs += performance.now() - start;
      if (event.type === 'step') {
        yield { ...event, texts: Array.from(event.ids, (id) => tokenText(this.#tokenizer, id)) };
      } else {
        const last = event.end !== null;
        const delta = text.push(event.ids, last);
        if (delta !== '') yield { type: 'block', block: event.block, text: delta };
        if (last || text.stopped) {
          yield {
            type: 'done',
            finishReason: text.stopped || event.end === 'eos' ? 'stop' : 'length',
            usage: {
              promptTokens: this.promptTokens,
              cachedTokens: this.cachedTokens,
              completionTokens: text.tokens,
            },
            cost: { nfe: forwards.nfe, positionForwards: forwards.positionForwards, prefillMs, decodeMs },
          };
          return;
        }
      }
      start = performance.now();
    }
  }

  /** Where the text ends: a hole's does at its marker too. */
  #endings(): ModelConfig {
    const { config } = this.#model;
    return this.#request.suffix !== null && config.infill ? endingAtMiddle(config, config.infill) : config;
  }
}

function tokenText(tokenizer: Tokenizer, id: number): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(tokenizer.bytes(id));
}

/** Share of drafts that a new engine expects to hold. */
const DRAFTS_HOLD = 0.5;
