/** Builds bodies and chunks that both Mistral's and Mercury's clients read. */
import type { BlockEvent, DoneEvent, EngineStep } from '../../engine/request.ts';

import { stepOf } from '../generate/step.ts';
import { generationCost, usageOf } from '../generate/usage.ts';
import type { AnswerWriter, ChoiceResult } from '../generate/writer.ts';
import type { FimCompletion } from './schema.ts';

type FinishReason = DoneEvent['finishReason'] | null;

export class FimBody implements AnswerWriter {
  readonly closing = '[DONE]';
  readonly #head: Pick<FimCompletion, 'id' | 'object' | 'created' | 'model'>;
  readonly #seed: number;
  readonly #usageApart: boolean;

  /** @param usageApart usage comes in a chunk of its own, as OpenAI's clients ask for it; else with the finish reason, as Mistral's expect it */
  constructor(model: string, seed: number, usageApart: boolean) {
    const id = `fim-${crypto.randomUUID().replaceAll('-', '')}`;
    this.#head = { id, object: 'text_completion', created: Math.floor(Date.now() / 1000), model };
    this.#seed = seed;
    this.#usageApart = usageApart;
  }

  whole([result]: readonly ChoiceResult[]): FimCompletion {
    if (!result) throw new Error('a completion without a result');
    const { text, done } = result;
    const message = { role: 'assistant' as const, content: text };
    const choices = [{ index: 0, text, message, finish_reason: done.finishReason }];
    return { ...this.#head, choices, usage: usageOf([done]), seedling: generationCost([done], this.#seed) };
  }

  block(_choice: number, { text }: BlockEvent): FimCompletion {
    return this.#chunk(text, null);
  }

  step(_choice: number, step: EngineStep): FimCompletion {
    return { ...this.#chunk('', null), diffusing: stepOf(step) };
  }

  done(_choice: number, done: DoneEvent): FimCompletion {
    const usage = this.#usageApart ? {} : { usage: usageOf([done]) };
    return { ...this.#chunk('', done.finishReason), ...usage, seedling: generationCost([done], this.#seed) };
  }

  usage(dones: readonly DoneEvent[]): FimCompletion {
    return { ...this.#head, choices: [], usage: usageOf(dones) };
  }

  #chunk(text: string, finish_reason: FinishReason): FimCompletion {
    return { ...this.#head, choices: [{ index: 0, text, delta: { content: text }, finish_reason }] };
  }
}
