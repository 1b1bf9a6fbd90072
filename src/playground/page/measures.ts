/** Adds up what a run has cost so far. */

export interface Measures {
  /** Milliseconds to the first decided token; null before it. */
  readonly firstMs: number | null;
  readonly tokens: number;
  /** After the first token; null until there is time to speak of. */
  readonly tokensPerSecond: number | null;
  readonly forwards: number;
  readonly tokensPerForward: number | null;
  readonly revisions: number;
}

export const NOTHING: Measures = {
  firstMs: null,
  tokens: 0,
  tokensPerSecond: null,
  forwards: 0,
  tokensPerForward: null,
  revisions: 0,
};

/** A clock for one run. The prefill is not a forward, as in the API's `nfe`. */
export class Stopwatch {
  readonly #start: number;
  #first: number | null = null;
  #last = 0;

  constructor(now: number) {
    this.#start = now;
  }

  tick(now: number): void {
    this.#first ??= now;
    this.#last = now;
  }

  read(tokens: number, forwards: number, revisions: number): Measures {
    if (this.#first === null) return { ...NOTHING, tokens, forwards, revisions };
    const seconds = (this.#last - this.#first) / 1000;
    return {
      firstMs: this.#first - this.#start,
      tokens,
      tokensPerSecond: seconds > 0 && tokens > 1 ? (tokens - 1) / seconds : null,
      forwards,
      tokensPerForward: forwards > 0 ? tokens / forwards : null,
      revisions,
    };
  }
}
