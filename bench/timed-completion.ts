/** One greedy completion with its two times: to the first token, and from there to the last. */

export interface TimedCompletion {
  readonly tokens: number;
  /** From the call to the first token. */
  readonly firstMs: number;
  /** From the first token to the last: `tokens - 1` of them. */
  readonly restMs: number;
  readonly text: string;
}

/** Decoding speed alone, without the prompt. */
export function tokensPerSecond({ tokens, restMs }: TimedCompletion): number {
  return ((tokens - 1) / restMs) * 1000;
}

/** Takes the time of a completion token by token. */
export class Stopwatch {
  readonly #start = performance.now();
  #first = Number.NaN;
  #last = Number.NaN;

  /** A token, or several at once, have come. */
  token(): void {
    this.#last = performance.now();
    if (Number.isNaN(this.#first)) this.#first = this.#last;
  }

  /** @param tokens how many came. */
  stop(tokens: number, text: string): TimedCompletion {
    return { tokens, firstMs: this.#first - this.#start, restMs: this.#last - this.#first, text };
  }
}
