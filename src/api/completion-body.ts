/** Builds `text_completion` bodies and chunks: one id, one creation time, one model name per request. */
import type { EngineEvent } from '../engine/request.ts';
import type { Completion } from './schemas.ts';

type Done = Extract<EngineEvent, { type: 'done' }>;
type Step = Extract<EngineEvent, { type: 'step' }>;
type FinishReason = Done['finishReason'];

function usageOf({ usage }: Done) {
  const { promptTokens, cachedTokens, completionTokens } = usage;
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
  };
}

function ratio(numerator: number, denominator: number): number {
  return denominator === 0 ? 0 : numerator / denominator;
}

export class CompletionBody {
  readonly #head: Pick<Completion, 'id' | 'object' | 'created' | 'model'>;
  readonly #seed: number;

  constructor(model: string, seed: number) {
    const id = `cmpl-${crypto.randomUUID().replaceAll('-', '')}`;
    this.#head = { id, object: 'text_completion', created: Math.floor(Date.now() / 1000), model };
    this.#seed = seed;
  }

  whole(text: string, done: Done): Completion {
    return { ...this.#withChoice(text, done.finishReason), usage: usageOf(done), seedling: this.#cost(done) };
  }

  textChunk(text: string): Completion {
    return this.#withChoice(text, null);
  }

  /** A chunk without text: clients that do not know `diffusing` see nothing new in it. */
  stepChunk({ block, positions, probs, texts, revised, remasked }: Step): Completion {
    const tokens = texts.map((text, i) => {
      const position = positions[i] ?? 0;
      return { position, text, prob: probs[i] ?? 0, revised: revised.includes(position) };
    });
    return { ...this.#withChoice('', null), diffusing: { block, tokens, remasked: Array.from(remasked) } };
  }

  finalChunk(done: Done): Completion {
    return { ...this.#withChoice('', done.finishReason), seedling: this.#cost(done) };
  }

  usageChunk(done: Done): Completion {
    return { ...this.#head, choices: [], usage: usageOf(done) };
  }

  #withChoice(text: string, finish_reason: FinishReason | null): Completion {
    return { ...this.#head, choices: [{ text, index: 0, logprobs: null, finish_reason }] };
  }

  #cost({ cost, usage }: Done): NonNullable<Completion['seedling']> {
    return {
      nfe: cost.nfe,
      tokens_per_forward: ratio(usage.completionTokens, cost.nfe),
      position_forwards: cost.positionForwards,
      position_forwards_per_token: ratio(cost.positionForwards, usage.completionTokens),
      prefill_ms: cost.prefillMs,
      decode_ms: cost.decodeMs,
      seed: this.#seed,
    };
  }
}
