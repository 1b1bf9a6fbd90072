/** The interface of a page of the decode bench, for the process that drives it. */
import type { TimedCompletion } from '../../timed-completion.ts';

export interface Contender {
  /** Fetches and starts the model; returns its description. */
  load(): Promise<string>;
  /** Greedy, `tokens` new tokens, or fewer where the contender stops at an end-of-text token. */
  complete(prompt: string, tokens: number): Promise<TimedCompletion>;
}

declare global {
  var contender: Contender;
}
