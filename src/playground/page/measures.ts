/** Adds up what a run has cost so far. */

export interface Measures {
  /** Milliseconds from the start to the first decided token. Null until there is one. */
  readonly firstMs: number | null;
  readonly tokens: number;
  /** Counted from the first token on. Null until a second token has come. */
  readonly tokensPerSecond: number | null;
  readonly forwards: number;
  readonly tokensPerForward: number | null;
  readonly revisions: number;
}

export const NO_MEASURES: Measures = {
  firstMs: null,
  tokens: 0,
  tokensPerSecond: null,
  forwards: 0,
  tokensPerForward: null,
  revisions: 0,
};

/** A clock for one run. As in the API's `nfe`, the prefill does not count as a forward. */
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
    if (this.#first === null) return { ...NO_MEASURES, tokens, forwards, revisions };
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
