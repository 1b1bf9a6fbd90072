import type { DiffusionModel, KvCache } from '../model/model.ts';
import { sampleBlocks } from '../sampler/block-sampler.ts';
import { createDraw } from '../sampler/draw.ts';
import { Forwards } from '../sampler/forwards.ts';
import { createPolicy } from '../sampler/policies/index.ts';
import { admit } from './admission.ts';
import { CompletionText } from './completion-text.ts';
import { promptIds } from './prompt.ts';
import type { EngineEvent, GenerateRequest } from './request.ts';
import type { Tokenizer } from './tokenizer.ts';

/** Text in, events out, on one model. */
export class Engine {
  readonly model: DiffusionModel;
  readonly #tokenizer: Tokenizer;

  constructor(model: DiffusionModel, tokenizer: Tokenizer) {
    this.model = model;
    this.#tokenizer = tokenizer;
  }

  /**
   * Everything that can be refused, before any work: a server can still answer 4xx or 5xx.
   * @returns the request with its memory; the caller runs or releases it
   * @throws RequestError on a request that can never be served (see `promptIds` and `admit`)
   * @throws OutOfMemoryError when there is no room for it now
   */
  admit(request: GenerateRequest): Admitted {
    const prompt = promptIds(request.prompt, this.#tokenizer, this.model.config);
    // Something has to predict the first id.
    const committed = prompt.length > 0 ? prompt : Int32Array.of(this.model.config.startTokenId);
    const cache = admit(this.model, request, committed.length);
    return new Admitted(this.model, this.#tokenizer, request, cache, committed, prompt.length);
  }

  /** `admit` and `run` in one: what `admit` throws comes out of the first `next()`. */
  async *generate(request: GenerateRequest, signal?: AbortSignal): AsyncGenerator<EngineEvent, void, void> {
    yield* this.admit(request).run(signal);
  }
}

/** A request that has its memory. It ends with the events of `run` or with `release`, whichever comes first. */
export class Admitted {
  /** Tokens of the prompt; the start token that stands in for an empty one is not counted. */
  readonly promptTokens: number;

  readonly #model: DiffusionModel;
  readonly #tokenizer: Tokenizer;
  readonly #request: GenerateRequest;
  readonly #cache: KvCache;
  readonly #prompt: Int32Array; // (P), P > 0
  #state: 'waiting' | 'started' | 'released' = 'waiting';
  #events: AsyncGenerator<EngineEvent, void, void> | null = null;

  /** Takes over the cache. Made by `Engine.admit`. */
  constructor(
    model: DiffusionModel,
    tokenizer: Tokenizer,
    request: GenerateRequest,
    cache: KvCache,
    prompt: Int32Array,
    promptTokens: number,
  ) {
    this.#model = model;
    this.#tokenizer = tokenizer;
    this.#request = request;
    this.#cache = cache;
    this.#prompt = prompt;
    this.promptTokens = promptTokens;
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
    this.#cache.free();
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
    const { config } = this.#model;
    const { maxTokens, stop, decoding } = this.#request;
    const policy = createPolicy(decoding);
    const forwards = new Forwards(this.#model, this.#cache, createDraw(this.#request), signal);
    const text = new CompletionText(this.#tokenizer, stop);

    let start = performance.now();
    const first = await forwards.prefill(this.#prompt);
    const prefillMs = performance.now() - start;

    let decodeMs = 0;
    start = performance.now();
    const settings = { maxTokens, blockLength: decoding.blockLength, policy };
    for await (const event of sampleBlocks(forwards, config, settings, first)) {
      decodeMs += performance.now() - start;
      if (event.type === 'step') {
        yield event;
      } else {
        const last = event.end !== null;
        const delta = text.push(event.ids, last);
        if (delta !== '') yield { type: 'block', block: event.block, text: delta };
        if (last || text.stopped) {
          yield {
            type: 'done',
            finishReason: text.stopped || event.end === 'eos' ? 'stop' : 'length',
            usage: { promptTokens: this.promptTokens, completionTokens: text.tokens },
            cost: { nfe: forwards.nfe, positionForwards: forwards.positionForwards, prefillMs, decodeMs },
          };
          return;
        }
      }
      start = performance.now();
    }
  }
}
