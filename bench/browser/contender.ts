/** What a page of the decode bench offers to the process that drives it. */
import type { TimedCompletion } from '../timed-completion.ts';

export interface Contender {
  /** Fetches and starts the model; returns what it is, in words. */
  load(): Promise<string>;
  /** Greedy, `tokens` new tokens; one that cannot run past an end-of-text token may return fewer. */
  complete(prompt: string, tokens: number): Promise<TimedCompletion>;
}

declare global {
  var contender: Contender;
}
