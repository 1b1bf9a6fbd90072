/** Greedy completions for evaluations, with their cost. */
import { round } from '../bench/median.ts';
import type { Engine } from '../src/engine/engine.ts';
import { type Completion, completeGreedily } from '../test/support/engines/engine.ts';
import type { EvalDecoding } from './settings.ts';

export class Writer {
  readonly #engine: Engine;
  readonly #maxTokens: number;
  readonly #decoding: EvalDecoding;
  readonly #stop: readonly string[];
  #completions = 0;
  #ended = 0;
  #tokens = 0;
  #nfe = 0;
  #positions = 0;
  #ms = 0;

  constructor(engine: Engine, maxTokens: number, decoding: EvalDecoding, stop: readonly string[]) {
    this.#engine = engine;
    this.#maxTokens = maxTokens;
    this.#decoding = decoding;
    this.#stop = stop;
  }

  /**
   * @param suffix the prompt is then the prefix of a hole
   * @returns null when everything together does not fit the context
   */
  async write(prompt: string, suffix?: string): Promise<Completion | null> {
    const settings = { maxTokens: this.#maxTokens, stop: this.#stop, ...this.#decoding, ...(suffix && { suffix }) };
    try {
      const completion = await completeGreedily(this.#engine, prompt, settings);
      this.#completions += 1;
      this.#ended += Number(completion.finishReason === 'stop');
      this.#tokens += completion.tokens;
      this.#nfe += completion.cost.nfe;
      this.#positions += completion.cost.positionForwards;
      this.#ms += completion.cost.decodeMs;
      return completion;
    } catch (error) {
      if (isTooLong(error)) return null;
      throw error;
    }
  }

  /** Fields of the report. */
  get cost(): Record<string, unknown> {
    const { blockLength, threshold, verify } = this.#decoding;
    return {
      // Null is the server's default.
      decoding: { block_length: blockLength, threshold, verify },
      ended_before_limit: round(this.#ended / this.#completions, 4),
      tokens: this.#tokens,
      nfe: this.#nfe,
      tokens_per_forward: round(this.#tokens / this.#nfe, 3),
      position_forwards_per_token: round(this.#positions / this.#tokens, 2),
      tokens_per_s: round((1000 * this.#tokens) / this.#ms, 1),
    };
  }
}

/** Whether a request was refused because prompt and completion do not fit the context, by the API or the engine. */
function isTooLong(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'context_length_exceeded';
}
