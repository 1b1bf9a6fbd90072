/** Builds bodies and chunks in the shape of llama.cpp's server. */
import type { BlockEvent, DoneEvent, GenerateRequest } from '../../engine/request.ts';
import { ratio } from '../generate/usage.ts';
import type { AnswerWriter, ChoiceResult } from '../generate/writer.ts';
import type { LlamaCompletion } from './schema.ts';

/** In a file without line feeds too. */
const BREAK = /[\r\n]/;

export class LlamaBody implements AnswerWriter {
  readonly closing = null;
  readonly #model: string;
  readonly #prompt: string;
  readonly #truncated: boolean;
  readonly #requests: readonly GenerateRequest[];
  readonly #withNewLine = new Set<number>();

  /** @param truncated some of what was sent did not fit and was left out */
  constructor(model: string, prompt: string, truncated: boolean, requests: readonly GenerateRequest[]) {
    this.#model = model;
    this.#prompt = prompt;
    this.#truncated = truncated;
    this.#requests = requests;
  }

  /** An object, or for several completions an array. */
  whole(results: readonly ChoiceResult[]): object {
    const bodies = results.map(({ text, done }, index) => this.#ended(index, text, BREAK.test(text), done));
    const [only] = bodies;
    return bodies.length === 1 && only ? only : bodies;
  }

  block(index: number, { text }: BlockEvent) {
    if (BREAK.test(text)) this.#withNewLine.add(index);
    return { index, content: text, tokens: [], stop: false };
  }

  done(index: number, done: DoneEvent): LlamaCompletion {
    return this.#ended(index, '', this.#withNewLine.has(index), done);
  }

  #ended(index: number, content: string, hasNewLine: boolean, done: DoneEvent): LlamaCompletion {
    const { usage, finishReason, stopString } = done;
    return {
      index,
      content,
      tokens: [],
      id_slot: 0,
      stop: true,
      model: this.#model,
      tokens_predicted: usage.completionTokens,
      tokens_evaluated: usage.promptTokens,
      tokens_cached: usage.cachedTokens,
      prompt: this.#prompt,
      truncated: this.#truncated,
      has_new_line: hasNewLine,
      stop_type: finishReason === 'length' ? 'limit' : stopString === null ? 'eos' : 'word',
      stopping_word: stopString ?? '',
      generation_settings: settingsOf(this.#requests[index]),
      timings: timingsOf(done),
    };
  }
}

function settingsOf(request: GenerateRequest | undefined): LlamaCompletion['generation_settings'] {
  if (!request) throw new Error('a completion that nobody asked for');
  const { maxTokens, seed, temperature, topK, topP, stop } = request;
  return { n_predict: maxTokens, seed, temperature, top_k: topK, top_p: topP, stop: [...stop] };
}

/** Nothing where nothing was drafted, as in llama.cpp's server. */
function draftsOf(counts: readonly { readonly offered: number; readonly held: number }[]) {
  if (counts.length === 0) return {};
  return {
    draft_n: counts.reduce((total, { offered }) => total + offered, 0),
    draft_n_accepted: counts.reduce((total, { held }) => total + held, 0),
  };
}

function timingsOf({ usage, cost }: DoneEvent): LlamaCompletion['timings'] {
  const prompt_n = usage.promptTokens - usage.cachedTokens;
  const predicted_n = usage.completionTokens;
  return {
    cache_n: usage.cachedTokens,
    prompt_n,
    prompt_ms: cost.prefillMs,
    prompt_per_token_ms: ratio(cost.prefillMs, prompt_n),
    prompt_per_second: ratio(prompt_n * 1000, cost.prefillMs),
    predicted_n,
    predicted_ms: cost.decodeMs,
    predicted_per_token_ms: ratio(cost.decodeMs, predicted_n),
    predicted_per_second: ratio(predicted_n * 1000, cost.decodeMs),
    ...draftsOf(Object.values(cost.drafts)),
  };
}
