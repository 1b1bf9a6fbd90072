/**
 * The wall between sampling and arithmetic: every runtime stands behind `DiffusionModel`.
 * Logits never cross it, only one best or drawn id per position with its probability and entropy.
 */
import type { ModelConfig } from './config.ts';

/** One entry per requested position. */
export interface Predictions {
  /** Argmax, or the drawn id when sampling was asked for; never the mask token. */
  readonly ids: Int32Array; // (R)
  /** Plain softmax probability of that id: temperature 1, no top-p, whatever the draw. */
  readonly probs: Float32Array; // (R)
  /** Entropy of the plain softmax, in nats. */
  readonly entropies: Float32Array; // (R)
}

/** How an id is drawn from a position's distribution. Absent: argmax. */
export interface Sampling {
  /** > 0 */
  readonly temperature: number;
  /** Nucleus mass in (0, 1], taken after the temperature. */
  readonly topP: number;
  /** Keep the k most probable ids; 0 keeps all. */
  readonly topK: number;
  /** One uniform in [0, 1) per requested position: the caller owns the seed, so every host draws the same ids. */
  readonly uniforms: Float32Array; // (R)
}

export interface CommitAsk {
  /** `last`: only the id after the last token (R = 1). `all`: the id after each token (R = ids.length). */
  readonly rows: 'last' | 'all';
  readonly sampling?: Sampling;
}

export interface DenoiseAsk {
  /** Positions of the block to predict, ascending. With `logitShift`, position 0 cannot be asked for. */
  readonly positions: Int32Array; // (R)
  readonly sampling?: Sampling;
}

export interface AdvanceAsk {
  /** Of the clean tokens, as in a commit. */
  readonly rows: 'last' | 'all';
  /** One uniform per clean row asked for. */
  readonly sampling?: Sampling;
  /**
   * Positions of the block behind them to predict, ascending. With `logitShift`, position 0 cannot be asked for: the last
   * clean token predicts it.
   */
  readonly positions: Int32Array; // (R)
  /** One uniform per position of the block. */
  readonly blockSampling?: Sampling;
}

export interface Advanced {
  /** After the clean tokens. */
  readonly committed: Predictions;
  /** In the block. */
  readonly block: Predictions;
}

/** The KV of one request's committed tokens. */
export interface KvCache {
  /** Committed tokens. */
  readonly length: number;
  /** Tokens that fit, the active block included. */
  readonly capacity: number;
  /** Forgets the tokens after the first `length`: drafts that were committed to be verified, and did not hold. */
  truncate(length: number): void;
  /** Returns the blocks to the pool. Safe to call twice; every other use after it throws. */
  free(): void;
}

export interface DiffusionModel {
  readonly config: ModelConfig;
  /** @throws OutOfMemoryError before any work when the pool has no room for `maxTokens`. */
  createCache(maxTokens: number): KvCache;
  /** Runs clean tokens after the cache's last one and appends their KV. */
  commit(ids: Int32Array, cache: KvCache, ask: CommitAsk): Promise<Predictions>;
  /** Runs the active block against the cache; the cache stays as it is. */
  denoise(ids: Int32Array, cache: KvCache, ask: DenoiseAsk): Promise<Predictions>;
  /**
   * A commit and a denoise of the block right behind it, in one forward: the same predictions, the weights read once.
   * Only the clean tokens' KV stays. `ids` and `block` are at most `maxForward` positions together.
   */
  advance(ids: Int32Array, block: Int32Array, cache: KvCache, ask: AdvanceAsk): Promise<Advanced>;
  /** Positions that a denoise or an advance takes at most. */
  readonly maxForward: number;
  /** Room in the KV pool now, in tokens. */
  readonly freeTokens: number;
  /** The largest cache that could ever be created, in tokens. */
  readonly maxTokens: number;
  readonly memory: MemoryUse;
}

/** Bytes the model holds. */
export interface MemoryUse {
  readonly weights: number;
  readonly kvPool: number;
  readonly scratch: number;
  readonly total: number;
}
