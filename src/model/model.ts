/**
 * The wall between sampling and arithmetic. Every runtime implements `DiffusionModel`. Logits never cross the wall:
 * for each position it returns one best or drawn id with its probability and entropy.
 */
import type { DotProduct } from '../kernels/dot-product.ts';
import type { ModelConfig } from './config.ts';
import type { CostCurve } from './cost-curve.ts';

/** One entry per requested position. */
export interface Predictions {
  /** Argmax, or the drawn id if the ask has `sampling`; never the mask token. */
  readonly ids: Int32Array; // (R)
  /** Plain softmax probability of that id, however it was chosen: temperature 1, no top-p, no adjustment. */
  readonly probs: Float32Array; // (R)
  /** Entropy of the plain softmax, in nats. */
  readonly entropies: Float32Array; // (R)
  /** Plain softmax probability of the asked target, 0 for the mask token. With `targets` only. */
  readonly targetProbs?: Float32Array; // (R)
  /** The most probable ids, best first, and their plain softmax probabilities. With `alternatives` only. */
  readonly topIds?: Int32Array; // (R, K)
  readonly topProbs?: Float32Array; // (R, K)
}

/** How the logits of some ids are moved before an id is chosen: `adjusted` in `forward/adjust.ts`. */
export interface Adjustment {
  /** Distinct. */
  readonly ids: Int32Array; // (A)
  /** Added. */
  readonly deltas: Float32Array; // (A)
  /** Before that: a logit above 0 is divided by it, one below is multiplied. Absent: all are 1. */
  readonly factors?: Float32Array | undefined; // (A)
}

/** How an id is chosen from a position's distribution. Absent: the plain argmax. */
export interface Sampling {
  /** 0 or more; 0 is the argmax of the adjusted logits, which reads no uniform. */
  readonly temperature: number;
  /** Keep ids with at least this share of the best one's probability, after the temperature. Absent or 0: all. */
  readonly minP?: number | undefined;
  /** Nucleus mass in (0, 1], of the ids that `minP` and `topK` keep. */
  readonly topP: number;
  /** Keep the k most probable ids; 0 keeps all. */
  readonly topK: number;
  /** One uniform in [0, 1) per requested position: the caller owns the seed, so every host draws the same ids. */
  readonly uniforms: Float32Array; // (R)
  /** Rows may share one object: it is then uploaded once. */
  readonly adjustments?: readonly Adjustment[] | undefined; // (R)
}

/** The question about each requested position. */
export interface RowAsk {
  readonly sampling?: Sampling | undefined;
  /** One id per position: its probability is returned beside the chosen id's. */
  readonly targets?: Int32Array | undefined; // (R)
  /** K: number of most probable ids to return beside the chosen one; at most `maxAlternatives`. */
  readonly alternatives?: number | undefined;
}

/** Which predictions after clean tokens are wanted: none, the id after the last (R = 1), or the id after each (R = C). */
type CleanRows = 'none' | 'last' | 'all';

export interface CommitAsk extends RowAsk {
  readonly rows: CleanRows;
}

export interface DenoiseAsk extends RowAsk {
  /**
   * Positions of the block to predict, ascending: masked ones, and visible ones to judge or edit them. With `logitShift`
   * the block does not predict its position 0, but it predicts the position after its last.
   */
  readonly positions: Int32Array; // (R)
  /**
   * Leading ids whose KV is kept although masks stood after them. The cache grows by them, and later forwards read this
   * KV as it is. Under `full` context only. Default 0.
   */
  readonly keep?: number | undefined;
  /**
   * Positions after the block whose KV attention reads from an earlier denoise of this cache. Under `full` context only.
   * Default 0.
   */
  readonly ahead?: number | undefined;
}

/** `sampling` and `targets` belong to the clean rows, `alternatives` to all rows. */
export interface AdvanceAsk extends RowAsk {
  /** Rows of the clean tokens, as in a commit. */
  readonly rows: CleanRows;
  /**
   * The id after a clean token is what a mask in its place says, not the token's own row. The mask is one more row. It sees
   * the clean tokens up to there, and itself: block length 1 of a model without `logitShift`. Its KV is not kept. Needs a
   * causal cache.
   */
  readonly byMasks?: boolean | undefined;
  /**
   * Positions of the block after the clean tokens to predict, ascending. With `logitShift` the last clean token predicts
   * position 0. The block predicts its other positions and the one after it.
   */
  readonly positions: Int32Array; // (R)
  /** `sampling` of the block's positions. */
  readonly blockSampling?: Sampling | undefined;
  /** `targets` of the block's positions. */
  readonly blockTargets?: Int32Array | undefined; // (R)
}

export interface Advanced {
  /** Predictions after the clean tokens. */
  readonly committed: Predictions;
  /** Predictions in the block. */
  readonly block: Predictions;
}

/** One sequence's part of a batch: clean tokens, whose KV is kept, and the active block right after them. One may be empty. */
export interface SequenceForward {
  readonly cache: KvCache;
  readonly clean: Int32Array; // (C)
  readonly block: Int32Array; // (B)
  /** `keep` and `ahead` for a block without clean tokens alone. */
  readonly ask: AdvanceAsk & Pick<DenoiseAsk, 'keep' | 'ahead'>;
}

/** Beginning of a request: KV of an earlier request with the same beginning is reused. */
export interface CachePrefix {
  /** The prompt. If the model's grid is `prompt_end`, blocks begin at its end. */
  readonly ids: Int32Array; // (P)
  /** Opaque. A request reuses only KV of requests with the same key. */
  readonly key: string;
}

/** The KV of one request's committed tokens. */
export interface KvCache {
  /** Committed tokens. In a new cache: the first tokens of its prefix whose KV is reused, fewer than P. */
  readonly length: number;
  /** Tokens that fit, the active block included. */
  readonly capacity: number;
  /** Position at which the first whole block begins. */
  readonly origin: number;
  /** Attention of its committed tokens. */
  readonly context: ModelConfig['contextAttention'];
  /** Tokens that it has room for now. */
  readonly room: number;
  /** Its room was given back. No forward may run until `restore`. */
  readonly suspended: boolean;
  /** Takes room for so many positions after the last token, up to the capacity. @returns false, with nothing taken, where there is none now */
  reserve(positions: number): boolean;
  /**
   * Gives the room back. The tokens stay known and count in `length`, but their KV has to be computed again.
   * @returns false, with nothing given, where that would not give the same KV, or the room cannot be given
   */
  suspend(): boolean;
  /**
   * Ends a suspension.
   * @param final leading tokens that are final: KV of another request is reused for these alone
   * @returns the tokens (L) to be committed next, with room that is reserved for them first: `length` is less by so many
   */
  restore(final: number): Int32Array;
  /**
   * Forgets the tokens after the first `length`: drafts that were committed for verification and did not hold.
   * @throws RangeError when that cuts into shared tokens
   */
  truncate(length: number): void;
  /** Offers the tokens so far, which are final, to requests that begin with them. Does nothing without a prefix. */
  share(): void;
  /** Returns the blocks to the pool, shared first. Safe to call twice; every other use after it throws. */
  free(): void;
}

/** The code that runs forwards: this project's WASM kernels, ONNX Runtime on WebGPU or its own WASM, or the test oracle. */
export type RuntimeName = 'wasm' | 'webgpu' | 'onnx-wasm' | 'scalar';

export interface DiffusionModel {
  readonly config: ModelConfig;
  readonly runtime: RuntimeName;
  /**
   * @param prefix without it no KV is reused or kept for others; not every runtime reuses KV
   * @param first tokens that it has room for from the start; `reserve` takes more. Not every runtime can: it takes all at once.
   * @param context attention of its committed tokens: the model's, or `causal` for block length 1 where the model's is
   *   `block_causal`
   * @throws OutOfMemoryError before any work when the pool has no room for `first` tokens, or could never have it for `maxTokens`
   */
  createCache(
    maxTokens: number,
    prefix?: CachePrefix,
    first?: number,
    context?: ModelConfig['contextAttention'],
  ): KvCache;
  /**
   * One forward over several sequences, each with a cache of its own. Weights are read once for all. A sequence's predictions
   * and KV are those of a forward of its own, bit for bit. A commit, a denoise and an advance are cases of it.
   * @param batch one sequence, or several of at most `batchRows` positions together
   * @returns one answer for each sequence. A runtime that computes synchronously returns no promise: results and cache
   *   lengths are then written before the caller's next await.
   * @throws RangeError before any work on a sequence that does not fit its cache or the forward
   */
  forward(batch: readonly SequenceForward[]): readonly Advanced[] | Promise<readonly Advanced[]>;
  /** Runs clean tokens after the cache's last one and appends their KV. */
  commit(ids: Int32Array, cache: KvCache, ask: CommitAsk): Promise<Predictions>;
  /** Runs the active block against the cache. The cache does not change, unless the ask keeps KV. */
  denoise(ids: Int32Array, cache: KvCache, ask: DenoiseAsk): Promise<Predictions>;
  /**
   * A commit, and a denoise of the block right after it, in one forward. The predictions are the same, and the weights are
   * read once. Only the KV of the clean tokens is kept. `ids` and `block` together have at most `maxForward` positions.
   */
  advance(ids: Int32Array, block: Int32Array, cache: KvCache, ask: AdvanceAsk): Promise<Advanced>;
  /** Positions of a denoise or an advance at most. */
  readonly maxForward: number;
  /** Positions of a batch of several sequences at most; 0 where a forward takes one sequence. */
  readonly batchRows: number;
  /** Highest `alternatives` of an ask; absent: none. */
  readonly maxAlternatives?: number;
  /** Cost of a forward on this host, by its positions. */
  readonly costs: CostCurve;
  /** Room in the KV pool now, in tokens. KV kept for reuse makes way, so it counts as room. */
  readonly freeTokens: number;
  /** The largest cache that could ever be created, in tokens. */
  readonly maxTokens: number;
  readonly memory: MemoryUse;
  /** Dot product of the project's kernels; absent where another engine multiplies. */
  readonly dot?: DotProduct;
}

/** Bytes the model holds. */
export interface MemoryUse {
  readonly weights: number;
  readonly kvPool: number;
  readonly scratch: number;
  readonly total: number;
}
