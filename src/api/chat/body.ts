/** Builds the `chat.completion` bodies and chunks of an answer. */
import type { BlockEvent, DoneEvent, EngineStep, TextToken } from '../../engine/request.ts';

import { stepOf } from '../generate/step.ts';
import { chatLogprobs } from '../generate/token-logprobs.ts';
import { generationCost, usageOf } from '../generate/usage.ts';
import type { AnswerWriter, ChoiceResult } from '../generate/writer.ts';
import type { ChatChunk, ChatCompletion } from './schema.ts';

export class ChatBody implements AnswerWriter {
  readonly closing = '[DONE]';
  readonly #head: Pick<ChatChunk, 'id' | 'created' | 'model'>;
  readonly #seed: number;
  readonly #n: number;
  readonly #logprobs: boolean;

  constructor(model: string, seed: number, n: number, logprobs: boolean) {
    const id = `chatcmpl-${crypto.randomUUID().replaceAll('-', '')}`;
    this.#head = { id, created: Math.floor(Date.now() / 1000), model };
    this.#seed = seed;
    this.#n = n;
    this.#logprobs = logprobs;
  }

  whole(results: readonly ChoiceResult[]): ChatCompletion {
    const dones = results.map(({ done }) => done);
    const choices = results.map(({ text, tokens, done }, index) => ({
      index,
      message: { role: 'assistant' as const, content: text, refusal: null },
      logprobs: this.#judged(tokens),
      finish_reason: done.finishReason,
    }));
    const { id, created, model } = this.#head;
    return {
      id,
      object: 'chat.completion',
      created,
      model,
      choices,
      usage: usageOf(dones, this.#n),
      seedling: generationCost(dones, this.#seed),
    };
  }

  opening(choice: number): ChatChunk {
    return this.#chunk(choice, { role: 'assistant', content: '' }, null, null);
  }

  block(choice: number, { text, tokens }: BlockEvent): ChatChunk {
    return this.#chunk(choice, { content: text }, this.#judged(tokens), null);
  }

  step(choice: number, step: EngineStep): ChatChunk {
    return { ...this.#chunk(choice, {}, null, null), diffusing: stepOf(step) };
  }

  done(choice: number, done: DoneEvent): ChatChunk {
    return { ...this.#chunk(choice, {}, null, done.finishReason), seedling: generationCost([done], this.#seed) };
  }

  usage(dones: readonly DoneEvent[]): ChatChunk {
    return { ...this.#head, object: 'chat.completion.chunk', choices: [], usage: usageOf(dones, this.#n) };
  }

  #judged(tokens: readonly TextToken[]) {
    return this.#logprobs ? chatLogprobs(tokens) : null;
  }

  #chunk(
    index: number,
    delta: ChatChunk['choices'][number]['delta'],
    logprobs: ChatChunk['choices'][number]['logprobs'],
    finish_reason: DoneEvent['finishReason'] | null,
  ): ChatChunk {
    return { ...this.#head, object: 'chat.completion.chunk', choices: [{ index, delta, logprobs, finish_reason }] };
  }
}
