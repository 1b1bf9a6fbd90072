/**
 * Builds the `text_completion` bodies and chunks of an answer. A request has one id, one creation time, one model
 * name.
 */

import type { BlockEvent, DoneEvent, EngineStep, PromptEvent, TextToken } from '../../engine/request.ts';
import { characters } from '../../engine/tokenizer/token-places.ts';

import { stepOf } from '../generate/step.ts';
import { completionLogprobs, meanLogprob } from '../generate/token-logprobs.ts';
import { generationCost, usageOf } from '../generate/usage.ts';
import type { AnswerWriter, ChoiceResult } from '../generate/writer.ts';
import type { Completion } from './schema.ts';

export interface CompletionTerms {
  readonly model: string;
  readonly seed: number;
  /** Choices of each prompt that come back. */
  readonly n: number;
  /** Completions of each prompt that are made. */
  readonly bestOf: number;
  /** Most probable tokens beside each; null for no probabilities. */
  readonly logprobs: number | null;
  /** The text of each prompt, where the answer begins with it. */
  readonly echo: readonly string[] | null;
}

export class CompletionBody implements AnswerWriter {
  readonly closing = '[DONE]';
  readonly #terms: CompletionTerms;
  readonly #head: Pick<Completion, 'id' | 'object' | 'created' | 'model'>;
  /** Characters of the prompt before the text that is being written. Choices come one after another. */
  #echoed = 0;

  constructor(terms: CompletionTerms) {
    this.#terms = terms;
    const id = `cmpl-${crypto.randomUUID().replaceAll('-', '')}`;
    this.#head = { id, object: 'text_completion', created: Math.floor(Date.now() / 1000), model: terms.model };
  }

  /** @param results of the first prompt, then of the second, ... */
  whole(results: readonly ChoiceResult[]): Completion {
    const { n, bestOf, seed } = this.#terms;
    const dones = results.map(({ done }) => done);
    const choices = Array.from({ length: results.length / bestOf }, (_, prompt) => {
      const candidates = results.slice(prompt * bestOf, (prompt + 1) * bestOf);
      return best(candidates, n).map((result, j) => this.#wholeChoice(prompt, prompt * n + j, result));
    });
    return {
      ...this.#head,
      choices: choices.flat(),
      usage: usageOf(dones, bestOf),
      seedling: generationCost(dones, seed),
    };
  }

  opening(choice: number): Completion | null {
    const echo = this.#echo(choice);
    // With probabilities the prompt comes with them.
    return echo === '' || this.#terms.logprobs !== null ? null : this.#withChoice(choice, echo, null, null);
  }

  prompt(choice: number, { text, tokens }: PromptEvent): Completion {
    this.#echoed = characters(text);
    return this.#withChoice(choice, text, this.#logprobs(tokens, 0), null);
  }

  block(choice: number, { text, tokens }: BlockEvent): Completion {
    return this.#withChoice(choice, text, this.#logprobs(tokens, this.#echoed), null);
  }

  /** A chunk without text: clients that do not know `diffusing` see nothing new in it. */
  step(choice: number, step: EngineStep): Completion {
    return { ...this.#withChoice(choice, '', null, null), diffusing: stepOf(step) };
  }

  done(choice: number, done: DoneEvent): Completion {
    return {
      ...this.#withChoice(choice, '', null, done.finishReason),
      seedling: generationCost([done], this.#terms.seed),
    };
  }

  usage(dones: readonly DoneEvent[]): Completion {
    return { ...this.#head, choices: [], usage: usageOf(dones, this.#terms.bestOf) };
  }

  #wholeChoice(prompt: number, index: number, { text, tokens, prompt: echoed, done }: ChoiceResult) {
    const echo = echoed?.text ?? this.#terms.echo?.[prompt] ?? '';
    const shown = this.#logprobs(
      [...(echoed?.tokens ?? []), ...tokens.map((token) => ({ ...token, offset: token.offset + characters(echo) }))],
      0,
    );
    return { text: echo + text, index, logprobs: shown, finish_reason: done.finishReason };
  }

  #echo(choice: number): string {
    return this.#terms.echo?.[Math.floor(choice / this.#terms.bestOf)] ?? '';
  }

  #logprobs(tokens: readonly TextToken[], shift: number) {
    const { logprobs } = this.#terms;
    return logprobs === null ? null : completionLogprobs(tokens, logprobs, shift);
  }

  #withChoice(
    index: number,
    text: string,
    logprobs: Completion['choices'][number]['logprobs'],
    finish_reason: DoneEvent['finishReason'] | null,
  ): Completion {
    return { ...this.#head, choices: [{ text, index, logprobs, finish_reason }] };
  }
}

/** The most probable first; of equals the earlier one. */
function best(candidates: readonly ChoiceResult[], n: number): readonly ChoiceResult[] {
  if (candidates.length === n) return candidates;
  return candidates
    .map((candidate) => ({ candidate, score: meanLogprob(candidate.tokens) }))
    .sort((a, b) => b.score - a.score)
    .slice(0, n)
    .map(({ candidate }) => candidate);
}
