import type { ModelConfig } from '../../../src/model/config.ts';
import { type CostCurve, PROPORTIONAL } from '../../../src/model/cost-curve.ts';
import { OutOfMemoryError } from '../../../src/model/errors.ts';
import { oneByOne } from '../../../src/model/forward/one-by-one.ts';
import { emptyPredictions } from '../../../src/model/forward/predictions.ts';
import { cacheOrigin } from '../../../src/model/forward/rows.ts';
import { FixedRoom } from '../../../src/model/kv/fixed-room.ts';
import type {
  Adjustment,
  AdvanceAsk,
  Advanced,
  CachePrefix,
  CommitAsk,
  DenoiseAsk,
  DiffusionModel,
  KvCache,
  Predictions,
  RowAsk,
  SequenceForward,
} from '../../../src/model/model.ts';
import { BYTE_VOCAB_SIZE, EOS, MASK, START } from './byte-tokenizer.ts';

/** Over a byte vocabulary, with logit shift and causal context. */
export const fakeConfig: ModelConfig = {
  name: 'fake',
  architecture: 'llama',
  hiddenSize: 4,
  intermediateSize: 8,
  numLayers: 1,
  numHeads: 1,
  numKvHeads: 1,
  headDim: 4,
  vocabSize: BYTE_VOCAB_SIZE,
  contextLength: 4096,
  rmsNormEps: 1e-5,
  ropeTheta: 10000,
  ropeScaling: null,
  tieWordEmbeddings: true,
  qkvBias: false,
  qkNorm: false,
  maskTokenId: MASK,
  logitShift: true,
  contextAttention: 'causal',
  blockLength: 8,
  eosTokenIds: [EOS],
  startTokenId: START,
  grid: 'zero',
  subBlockLength: null,
  firstToken: 'denoise',
  stopRule: 'no_mask_before',
  decoding: null,
  infill: null,
  drafts: null,
};

export interface FakeModelOptions {
  readonly config?: Partial<ModelConfig>;
  /** The greedy next id after a sequence of clean ids. */
  readonly next?: (prefix: readonly number[]) => number;
  /** Probability of the prediction at an absolute position, prompt included. Default 0.5 + position-dependent. */
  readonly confidence?: (position: number) => number;
  /** What a masked position is predicted as instead of its right id; the position counts the prompt. */
  readonly draft?: (position: number, id: number) => number;
  /** Also predicts positions that are not masked, as what the ids before them call for. Otherwise to ask is a breach. */
  readonly predictsVisible?: boolean;
  /** Default: proportional to the positions. */
  readonly costs?: CostCurve;
  /** Runs before every forward, which is numbered from 0; may throw. */
  readonly onForward?: (index: number) => void | Promise<void>;
  /** Tokens in the pool. */
  readonly poolTokens?: number;
  /** Caches begin with what earlier ones of the same key have shared, in whole blocks. */
  readonly reuse?: boolean;
}

interface Forward {
  readonly kind: 'commit' | 'denoise' | 'advance';
  readonly ids: readonly number[];
  /** Denoise and advance only. */
  readonly positions: readonly number[];
}

/** An id that depends on the whole prefix: never EOS or mask, and printable ASCII. */
export function chain(prefix: readonly number[]): number {
  let hash = 7;
  for (const id of prefix) hash = (Math.imul(hash, 31) + id + 1) | 0;
  return 33 + ((hash >>> 3) % 90);
}

/** `next` of a model that says the text after a prompt of so many tokens, then EOS for ever. */
export function says(text: string, promptTokens: number): (prefix: readonly number[]) => number {
  const bytes = new TextEncoder().encode(text);
  return (prefix) => bytes[prefix.length - promptTokens] ?? EOS;
}

/**
 * A model whose every prediction is right: a masked position gets what the greedy chain would put there. So a block
 * sampler must produce the autoregressive text whatever its policy. It enforces the contract of `DiffusionModel` on
 * its caller: any breach throws.
 */
export class FakeModel implements DiffusionModel {
  readonly config: ModelConfig;
  readonly runtime = 'scalar';
  /** Every forward, in order. */
  readonly forwards: Forward[] = [];
  readonly caches: FakeCache[] = [];
  /** Index in `caches` of each forward's cache. */
  readonly turns: number[] = [];
  /** What caches have shared, with `reuse`. */
  readonly shared: CachePrefix[] = [];
  readonly memory = { weights: 0, kvPool: 0, scratch: 0, total: 0 };
  readonly maxTokens: number;
  readonly maxForward = 64;
  readonly batchRows = 0;
  readonly maxAlternatives = 5;
  readonly costs: CostCurve;
  readonly #options: FakeModelOptions;
  #started = 0;

  constructor(options: FakeModelOptions = {}) {
    this.#options = options;
    this.config = { ...fakeConfig, ...options.config };
    this.maxTokens = options.poolTokens ?? 8192;
    this.costs = options.costs ?? PROPORTIONAL;
  }

  get freeTokens(): number {
    return this.openCaches.reduce((free, cache) => free - cache.capacity, this.maxTokens);
  }

  get openCaches(): FakeCache[] {
    return this.caches.filter((cache) => !cache.freed);
  }

  get commits(): Forward[] {
    return this.forwards.filter((forward) => forward.kind === 'commit');
  }

  get denoises(): Forward[] {
    return this.forwards.filter((forward) => forward.kind === 'denoise');
  }

  createCache(maxTokens: number, prefix?: CachePrefix): KvCache {
    if (maxTokens > this.freeTokens) {
      throw new OutOfMemoryError(`${maxTokens} tokens do not fit`, maxTokens <= this.maxTokens);
    }
    const onShare = (ids: readonly number[]) => {
      if (this.#options.reuse && prefix) this.shared.push({ ids: Int32Array.from(ids), key: prefix.key });
    };
    const { contextAttention } = this.config;
    const cache = new FakeCache(maxTokens, cacheOrigin(this.config, prefix), onShare, contextAttention);
    if (prefix) cache.ids.push(...prefix.ids.subarray(0, this.#reusable(prefix)));
    this.caches.push(cache);
    return cache;
  }

  #reusable({ ids, key }: CachePrefix): number {
    let reusable = 0;
    for (const shared of this.shared) {
      if (shared.key !== key) continue;
      const differs = ids.findIndex((id, i) => id !== shared.ids[i]);
      const equal = Math.min(differs < 0 ? ids.length : differs, ids.length - 1);
      reusable = Math.max(reusable, equal - (equal % this.config.blockLength));
    }
    return reusable;
  }

  forward(batch: readonly SequenceForward[]): Promise<readonly Advanced[]> {
    return oneByOne(this, batch);
  }

  async commit(ids: Int32Array, cache: KvCache, ask: CommitAsk): Promise<Predictions> {
    const own = await this.#begin('commit', ids, cache, []);
    return this.#append(own, ids, ask);
  }

  async denoise(ids: Int32Array, cache: KvCache, ask: DenoiseAsk): Promise<Predictions> {
    const { keep = 0, ahead = 0 } = ask;
    const own = await this.#begin('denoise', ids, cache, [...ask.positions]);
    const { contextAttention, logitShift, maskTokenId } = this.config;
    breach((keep > 0 || ahead > 0) && contextAttention !== 'full', 'KV that is not exact where it could be');
    breach(ids.subarray(0, keep).includes(maskTokenId), 'KV of a mask is kept');
    breach(own.length + ids.length + ahead > own.capacity, 'more ahead than the capacity');
    const predictions = this.#fill(own, ids, ask, logitShift && ids[0] === maskTokenId);
    own.ids.push(...ids.subarray(0, keep));
    return predictions;
  }

  async advance(ids: Int32Array, block: Int32Array, cache: KvCache, ask: AdvanceAsk): Promise<Advanced> {
    const { positions, blockSampling, blockTargets, alternatives } = ask;
    const own = await this.#begin('advance', Int32Array.of(...ids, ...block), cache, [...positions]);
    breach(ids.length === 0 || block.length === 0, 'advance without clean tokens or without a block');
    breach(ids.length + block.length > this.maxForward, 'advance past maxForward');
    const committed = this.#append(own, ids, ask);
    const blockAsk = { positions, sampling: blockSampling, targets: blockTargets, alternatives };
    return { committed, block: this.#fill(own, block, blockAsk, false) };
  }

  #append(own: FakeCache, ids: Int32Array, ask: CommitAsk): Predictions {
    breach(ids.includes(this.config.maskTokenId), 'commit of a mask');
    own.ids.push(...ids);
    const first = { none: ids.length, last: ids.length - 1, all: 0 }[ask.rows];
    const prefixes = Array.from(ids.subarray(first), (_, i) =>
      own.ids.slice(0, own.length - ids.length + first + i + 1),
    );
    return this.#predict(
      prefixes.map((prefix) => this.#next(prefix)),
      prefixes.map((prefix) => prefix.length),
      ask,
    );
  }

  /** @param blind the first position is a mask that nothing before it decides */
  #fill(own: FakeCache, ids: Int32Array, ask: DenoiseAsk, blind: boolean): Predictions {
    const { maskTokenId, logitShift } = this.config;
    const positions = [...ask.positions];
    breach(positions.length === 0, 'denoise of no position');
    breach(
      !this.#options.predictsVisible &&
        positions.some((position) => ids[position] !== maskTokenId && !(logitShift && position === ids.length)),
      'denoise of a position that is no mask',
    );
    breach(
      positions.some((position, i) => i > 0 && position <= positions[i - 1]!),
      'positions not ascending',
    );
    breach(blind || (logitShift && positions[0] === 0), 'position 0 asked for despite logitShift');
    const draft = this.#options.draft ?? ((_, id) => id);
    const filled = [...own.ids];
    const right: number[] = []; // what the ids before a position call for
    for (const id of [...ids, maskTokenId]) {
      right.push(this.#next(filled));
      filled.push(id === maskTokenId ? right.at(-1)! : id);
    }
    return this.#predict(
      positions.map((position) => draft(own.length + position, right[position]!)),
      positions.map((position) => own.length + position),
      ask,
    );
  }

  async #begin(kind: Forward['kind'], ids: Int32Array, cache: KvCache, positions: number[]): Promise<FakeCache> {
    const own = cache as FakeCache;
    breach(own.freed, 'use of a freed cache');
    breach(own.busy, 'two forwards at once on one cache');
    breach(ids.length === 0 || own.length + ids.length > own.capacity, `${ids.length} ids past the capacity`);
    own.busy = true;
    try {
      await this.#options.onForward?.(this.#started++);
    } finally {
      own.busy = false;
    }
    breach(own.freed, 'cache freed during a forward');
    this.turns.push(this.caches.indexOf(own));
    this.forwards.push({ kind, ids: [...ids], positions });
    return own;
  }

  #next(prefix: readonly number[]): number {
    return (this.#options.next ?? chain)(prefix);
  }

  #predict(greedy: number[], positions: number[], ask: RowAsk): Predictions {
    const { sampling, targets, alternatives = 0 } = ask;
    const predictions = emptyPredictions(greedy.length, ask, this.config);
    const confidence = this.#options.confidence ?? ((position) => 0.5 + ((position * 7) % 10) / 20);
    for (const [row, id] of greedy.entries()) {
      // A draw moves the greedy id, unless it is special, by up to 3: enough to tell seeds apart.
      const moved =
        sampling && sampling.temperature > 0 && id < EOS ? Math.floor((sampling.uniforms[row] ?? 0) * 4) : 0;
      predictions.ids[row] = this.#adjusted(id + moved, sampling?.adjustments?.[row]);
      const prob = confidence(positions[row]!);
      predictions.probs[row] = prob;
      // What the greedy id leaves is shared by all others.
      const others = (1 - prob) / (this.config.vocabSize - 2);
      for (let k = 0; k < alternatives; k++) {
        // After the greedy id, all are equally likely: the lowest first.
        const lower = k - 1 < id ? k - 1 : k;
        predictions.topIds?.fill(k === 0 ? id : lower, row * alternatives + k, row * alternatives + k + 1);
        predictions.topProbs?.fill(k === 0 ? prob : others, row * alternatives + k, row * alternatives + k + 1);
      }
      const target = targets?.[row];
      if (target === undefined || !predictions.targetProbs) continue;
      predictions.targetProbs[row] = target === id ? prob : target === this.config.maskTokenId ? 0 : others;
    }
    return predictions;
  }

  /** The argmax where the chosen id's logit is 5 and every other's 0. */
  #adjusted(
    chosen: number,
    { ids, deltas }: Adjustment = { ids: new Int32Array(), deltas: new Float32Array() },
  ): number {
    const moved = new Map(Array.from(ids, (id, i) => [id, deltas[i]!]));
    let [best, most] = [chosen, 5 + (moved.get(chosen) ?? 0)];
    for (let id = 0; id < this.config.vocabSize; id++) {
      const logit = (moved.get(id) ?? 0) + (id === chosen ? 5 : 0);
      if (id === this.config.maskTokenId || logit < most || (logit === most && id > best)) continue;
      [best, most] = [id, logit];
    }
    return best;
  }
}

export class FakeCache extends FixedRoom implements KvCache {
  readonly capacity: number;
  readonly origin: number;
  readonly context: ModelConfig['contextAttention'];
  readonly ids: number[] = [];
  busy = false;
  freed = false;
  readonly #onShare: (ids: readonly number[]) => void;
  /** Ids that were shared, and so can no longer be truncated. */
  #final = 0;

  constructor(
    capacity: number,
    origin: number,
    onShare: (ids: readonly number[]) => void,
    context: ModelConfig['contextAttention'] = 'causal',
  ) {
    super();
    this.context = context;
    this.capacity = capacity;
    this.origin = origin;
    this.#onShare = onShare;
  }

  get length(): number {
    return this.ids.length;
  }

  truncate(length: number): void {
    breach(this.busy || length > this.ids.length, 'truncate during a forward, or past the end');
    breach(length < this.#final, 'truncate of what was shared');
    this.ids.length = length;
  }

  share(): void {
    breach(this.busy || this.freed, 'share during a forward, or after free');
    this.#final = this.ids.length;
    this.#onShare(this.ids);
  }

  free(): void {
    breach(this.busy, 'free during a forward');
    if (!this.freed) this.share();
    this.freed = true;
  }
}

function breach(broken: boolean, what: string): void {
  if (broken) throw new Error(`contract: ${what}`);
}
