/** Seedling in this process: decoding in several modes, and the prefill. */
import type { Engine } from '../../src/engine/engine.ts';
import { openEngine } from '../../test/support/engines/engine.ts';
import { completeTimed, type DecodingFields, type OwnCompletion } from '../complete-timed.ts';
import { median, round } from '../median.ts';
import { LONG_PROMPT, salted } from '../prompts.ts';
import { tokensPerSecond } from '../timed-completion.ts';

/**
 * `ar` is the baseline. `default` is a request that does not choose: drafts are verified, and the width is the one that
 * pays on this host. `unverified` decides as in training.
 */
const MODES = {
  ar: { block_length: 1 },
  unverified: { verify: false },
  default: {},
} as const satisfies Record<string, DecodingFields>;
export type Mode = keyof typeof MODES;
const MODE_NAMES = Object.keys(MODES) as Mode[];

/** The speed of a shorter completion is not counted. */
const LEAST_TOKENS = 16;

export interface ModeSummary {
  /** Tokens per second after the first. */
  readonly speed: number;
  /** That over the speed of `ar`: the median over prompts and rounds. */
  readonly ratio: number;
  /** Forwards per request. */
  readonly nfe: number;
  readonly tokensPerForward: number;
  readonly positionsPerToken: number;
}

export class OwnDecode {
  readonly engine: Engine;
  readonly #runs = new Map<Mode, OwnCompletion[]>(MODE_NAMES.map((mode) => [mode, []]));
  readonly #ratios = new Map<Mode, number[]>(MODE_NAMES.map((mode) => [mode, []]));
  readonly #prefills: number[] = [];
  readonly #longPrefillRates: number[] = [];

  static async open(model: string): Promise<OwnDecode> {
    const engine = await openEngine(model);
    // The WASM engine compiles the kernels again once they are hot.
    await completeTimed(engine, salted(LONG_PROMPT), 16, MODES.default);
    return new OwnDecode(engine);
  }

  private constructor(engine: Engine) {
    this.engine = engine;
  }

  /** One prompt in every mode. @returns tokens per second by mode, NaN where the text is too short to count */
  async decode(prompt: string, tokens: number): Promise<Readonly<Record<Mode, number>>> {
    const speeds: Record<Mode, number> = { ar: Number.NaN, unverified: Number.NaN, default: Number.NaN };
    for (const mode of MODE_NAMES) {
      const run = await completeTimed(this.engine, prompt, tokens, MODES[mode]);
      this.#runs.get(mode)!.push(run);
      if (run.timed.tokens < LEAST_TOKENS) continue;
      speeds[mode] = tokensPerSecond(run.timed);
      if (!Number.isNaN(speeds.ar)) this.#ratios.get(mode)!.push(speeds[mode] / speeds.ar);
    }
    return speeds;
  }

  /** A prompt of 69 tokens, and a long one. @returns tokens of the long one per second */
  async prefill(long: string): Promise<number> {
    this.#prefills.push((await completeTimed(this.engine, salted(LONG_PROMPT), 1, MODES.ar)).cost.prefillMs);
    const { cost, promptTokens } = await completeTimed(this.engine, long, 1, MODES.ar);
    const rate = (promptTokens / cost.prefillMs) * 1000;
    this.#longPrefillRates.push(rate);
    return rate;
  }

  summary(): ReadonlyMap<Mode, ModeSummary> {
    return new Map(
      MODE_NAMES.map((mode) => {
        const ratio = round(median(this.#ratios.get(mode)!));
        return [mode, { ...summarize(this.#runs.get(mode)!), ratio }] as const;
      }),
    );
  }

  get prefillMs(): number {
    return round(median(this.#prefills), 1);
  }

  get prefillTokensPerSecond(): number {
    return round(median(this.#longPrefillRates), 0);
  }
}

/** Speed of the runs that are long enough; forwards and positions of all runs. */
function summarize(runs: readonly OwnCompletion[]): Omit<ModeSummary, 'ratio'> {
  const sum = (of: (run: OwnCompletion) => number) => runs.reduce((total, run) => total + of(run), 0);
  const tokens = sum((run) => run.timed.tokens);
  const nfe = sum((run) => run.cost.nfe);
  const long = runs.filter((run) => run.timed.tokens >= LEAST_TOKENS);
  return {
    speed: round(median(long.map((run) => tokensPerSecond(run.timed))), 1),
    nfe: round(nfe / runs.length, 1),
    tokensPerForward: round(tokens / nfe),
    positionsPerToken: round(sum((run) => run.cost.positionForwards) / tokens),
  };
}
