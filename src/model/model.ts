/**
 * The wall between sampling and arithmetic. Every runtime implements `DiffusionModel`. Logits never cross the wall:
 * for each position it returns one best or drawn id with its probability and entropy.
 */
import type { ModelConfig } from './config.ts';
import type { CostCurve } from './cost-curve.ts';

/** One entry per requested position. */
export interface Predictions {
  /** Argmax, or the drawn id when sampling was asked for; never the mask token. */
  readonly ids: Int32Array; // (R)
  /** Plain softmax probability of that id: temperature 1, no top-p, no adjustment, whatever the choice. */
  readonly probs: Float32Array; // (R)
  /** Entropy of the plain softmax, in nats. */
  readonly entropies: Float32Array; // (R)
  /** Plain softmax probability of the asked target, 0 for the mask token. With `targets` only. */
  readonly targetProbs?: Float32Array; // (R)
  /** The most probable ids, best first, and their plain softmax probabilities. With `alternatives` only. */
  readonly topIds?: Int32Array; // (R, K)
  readonly topProbs?: Float32Array; // (R, K)
}

/** What is added to some ids' logits before an id is chosen. */
export interface Adjustment {
  /** Distinct. */
  readonly ids: Int32Array; // (A)
  readonly deltas: Float32Array; // (A)
}

/** How an id is chosen from a position's distribution. Absent: the plain argmax. */
export interface Sampling {
  /** 0 or more; 0 is the argmax of the adjusted logits, which reads no uniform. */
  readonly temperature: number;
  /** Nucleus mass in (0, 1], taken after the temperature. */
  readonly topP: number;
  /** Keep the k most probable ids; 0 keeps all. */
  readonly topK: number;
  /** One uniform in [0, 1) per requested position: the caller owns the seed, so every host draws the same ids. */
  readonly uniforms: Float32Array; // (R)
  /** Rows may share one object: it is then uploaded once. */
  readonly adjustments?: readonly Adjustment[] | undefined; // (R)
}

/** What is asked of each requested position. */
export interface RowAsk {
  readonly sampling?: Sampling | undefined;
  /** Ids whose probability is wanted beside the chosen id's. */
  readonly targets?: Int32Array | undefined; // (R)
  /** K: how many of the most probable ids are wanted beside the chosen one; at most `maxAlternatives`. */
  readonly alternatives?: number | undefined;
}

export interface CommitAsk extends RowAsk {
  /** `last`: only the id after the last token (R = 1). `all`: the id after each token (R = ids.length). */
  readonly rows: 'last' | 'all';
}

export interface DenoiseAsk extends RowAsk {
  /**
   * Positions of the block to predict, ascending: masked ones, and visible ones to judge or edit them. With `logitShift`,
   * position 0 cannot be asked for, but the one after the block can.
   */
  readonly positions: Int32Array; // (R)
  /**
   * Leading ids whose KV stays although masks stood after them: the cache grows by it, and later forwards take it for what
   * it was. Under `full` context only. Default 0.
   */
  readonly keep?: number | undefined;
  /**
   * Positions after the block that attention reads as an earlier denoise of this cache left their KV. Under `full` context
   * only. Default 0.
   */
  readonly ahead?: number | undefined;
}

/** `sampling` and `targets` belong to the clean rows, `alternatives` to all. */
export interface AdvanceAsk extends RowAsk {
  /** Of the clean tokens, as in a commit. */
  readonly rows: 'last' | 'all';
  /**
   * Positions of the block after them to predict, ascending. With `logitShift`, the last clean token predicts position 0,
   * and the block the others, the one after it included.
   */
  readonly positions: Int32Array; // (R)
  /** Of the positions of the block. */
  readonly blockSampling?: Sampling | undefined;
  /** Of the positions of the block. */
  readonly blockTargets?: Int32Array | undefined; // (R)
}

export interface Advanced {
  /** After the clean tokens. */
  readonly committed: Predictions;
  /** In the block. */
  readonly block: Predictions;
}

/** What a request begins with, so that the KV of an earlier one's equal beginning serves it. */
export interface CachePrefix {
  /** The prompt. Its length is also where blocks begin if the model's grid is `prompt_end`. */
  readonly ids: Int32Array; // (P)
  /** Opaque. A request sees only what requests of the same key have left. */
  readonly key: string;
}

/** The KV of one request's committed tokens. */
export interface KvCache {
  /** Committed tokens. In a new cache: the first tokens of its prefix whose KV was still there, fewer than P. */
  readonly length: number;
  /** Tokens that fit, the active block included. */
  readonly capacity: number;
  /**
   * Forgets the tokens after the first `length`: drafts that were committed to be verified, and did not hold.
   * @throws RangeError when that cuts into tokens that were shared
   */
  truncate(length: number): void;
  /** The tokens so far are final: requests that begin with them may use their KV from now on. Without a prefix, nothing. */
  share(): void;
  /** Returns the blocks to the pool, shared first. Safe to call twice; every other use after it throws. */
  free(): void;
}

/** What runs the forwards: the project's WASM kernels, ONNX Runtime on WebGPU or on its own WASM, or the test oracle. */
export type RuntimeName = 'wasm' | 'webgpu' | 'onnx-wasm' | 'scalar';

export interface DiffusionModel {
  readonly config: ModelConfig;
  readonly runtime: RuntimeName;
  /**
   * @param prefix without it nothing is reused, nor kept for others; a model may reuse nothing anyway
   * @throws OutOfMemoryError before any work when the pool has no room for `maxTokens`.
   */
  createCache(maxTokens: number, prefix?: CachePrefix): KvCache;
  /** Runs clean tokens after the cache's last one and appends their KV. */
  commit(ids: Int32Array, cache: KvCache, ask: CommitAsk): Promise<Predictions>;
  /** Runs the active block against the cache; the cache stays as it is, but for what the ask keeps. */
  denoise(ids: Int32Array, cache: KvCache, ask: DenoiseAsk): Promise<Predictions>;
  /**
   * A commit and a denoise of the block right after it, in one forward: the same predictions, the weights read once.
   * Only the clean tokens' KV stays. `ids` and `block` are at most `maxForward` positions together.
   */
  advance(ids: Int32Array, block: Int32Array, cache: KvCache, ask: AdvanceAsk): Promise<Advanced>;
  /** Positions that a denoise or an advance takes at most. */
  readonly maxForward: number;
  /** Most `alternatives` that may be asked for; absent: none. */
  readonly maxAlternatives?: number;
  /** What a forward costs on this host, by its positions. */
  readonly costs: CostCurve;
  /** Room in the KV pool now, in tokens; what is kept for reuse makes way and counts. */
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
