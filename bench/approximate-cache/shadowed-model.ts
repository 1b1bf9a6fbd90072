/** A model of full context that runs each forward over stale KV too, and measures how far apart the two are. */

import { Mean } from '../../eval/score.ts';
import { oneByOne } from '../../src/model/forward/one-by-one.ts';
import type {
  AdvanceAsk,
  Advanced,
  CachePrefix,
  CommitAsk,
  DenoiseAsk,
  DiffusionModel,
  KvCache,
  Predictions,
  SequenceForward,
} from '../../src/model/model.ts';
import { ApproximateCache, type ApproximateCacheSettings } from '../../src/sampler/approximate-cache.ts';

/** One way to approximate, and how far its forwards are from exact ones on the same canvas. Its exact forwards are left out. */
export class Shadow {
  /** Whether the most probable id differs. One entry a position. */
  readonly otherId = new Mean();
  /** Difference of the probability of the exact forward's id. */
  readonly probDifference = new Mean();
  largestDifference = 0;
  readonly #settings: ApproximateCacheSettings;
  #run: { readonly reuse: ApproximateCache; readonly cache: KvCache } | null = null;
  #exact: Predictions | null = null;

  constructor(settings: ApproximateCacheSettings) {
    this.#settings = settings;
  }

  begin(model: DiffusionModel, tokens: number): void {
    const cache = model.createCache(tokens);
    const reuse = new ApproximateCache(
      {
        denoise: async (ids, positions, _offset, stale = {}) => {
          const targets = this.#exact?.ids;
          const predictions = await model.denoise(ids, cache, { positions, targets, ...stale });
          if (stale.keep === undefined) this.#record(predictions);
          return predictions;
        },
        forget: (tokens) => cache.truncate(cache.length - tokens),
      },
      this.#settings,
    );
    this.#run = { reuse, cache };
  }

  async denoise(canvas: Int32Array, positions: Int32Array, start: number, end: number, exact: Predictions) {
    this.#exact = exact;
    await this.#run?.reuse.denoise(canvas, positions, 0, start, end);
  }

  end(): void {
    this.#run?.cache.free();
    this.#run = null;
  }

  #record(stale: Predictions): void {
    const { ids, probs } = this.#exact!;
    for (const [row, id] of ids.entries()) {
      const difference = Math.abs(probs[row]! - stale.targetProbs![row]!);
      this.otherId.add(stale.ids[row] !== id);
      this.probDifference.add(difference);
      this.largestDifference = Math.max(this.largestDifference, difference);
    }
  }
}

/** Greedy requests only, one at a time. */
export class ShadowedModel implements DiffusionModel {
  readonly config;
  readonly runtime;
  readonly maxForward;
  readonly batchRows = 0;
  readonly costs;
  readonly maxTokens;
  readonly memory;
  readonly #inner: DiffusionModel;
  readonly #shadows: readonly Shadow[];
  readonly #block: number;
  #prompt = 0;

  /** @param block tokens that are decided together, from the prompt's end on */
  constructor(inner: DiffusionModel, shadows: readonly Shadow[], block: number) {
    this.#inner = inner;
    this.#shadows = shadows;
    this.#block = block;
    this.config = inner.config;
    this.runtime = inner.runtime;
    this.maxForward = inner.maxForward;
    this.costs = inner.costs;
    this.maxTokens = inner.maxTokens;
    this.memory = inner.memory;
  }

  get freeTokens(): number {
    return this.#inner.freeTokens;
  }

  createCache(maxTokens: number, prefix?: CachePrefix): KvCache {
    this.#prompt = prefix ? prefix.ids.length : 0;
    const cache = this.#inner.createCache(maxTokens, prefix);
    for (const shadow of this.#shadows) shadow.begin(this.#inner, maxTokens);
    const free = cache.free.bind(cache);
    cache.free = () => {
      for (const shadow of this.#shadows) shadow.end();
      free();
    };
    return cache;
  }

  forward(batch: readonly SequenceForward[]): Promise<readonly Advanced[]> {
    return oneByOne(this, batch);
  }

  commit(ids: Int32Array, cache: KvCache, ask: CommitAsk): Promise<Predictions> {
    return this.#inner.commit(ids, cache, ask);
  }

  advance(ids: Int32Array, block: Int32Array, cache: KvCache, ask: AdvanceAsk): Promise<Advanced> {
    return this.#inner.advance(ids, block, cache, ask);
  }

  async denoise(ids: Int32Array, cache: KvCache, ask: DenoiseAsk): Promise<Predictions> {
    const exact = await this.#inner.denoise(ids, cache, ask);
    const first = ask.positions[0]!;
    const start = first - ((first - this.#prompt) % this.#block);
    const end = Math.min(start + this.#block, ids.length);
    const shift = this.config.logitShift ? 1 : 0;
    for (const shadow of this.#shadows) await shadow.denoise(ids, ask.positions, start - shift, end, exact);
    return exact;
  }
}
