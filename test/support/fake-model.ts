import type { ModelConfig } from '../../src/model/config.ts';
import { OutOfMemoryError } from '../../src/model/errors.ts';
import type {
  AdvanceAsk,
  Advanced,
  CommitAsk,
  DenoiseAsk,
  DiffusionModel,
  KvCache,
  Predictions,
  Sampling,
} from '../../src/model/model.ts';
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
  tieWordEmbeddings: true,
  qkvBias: false,
  qkNorm: false,
  maskTokenId: MASK,
  logitShift: true,
  contextAttention: 'causal',
  blockLength: 8,
  eosTokenIds: [EOS],
  startTokenId: START,
};

export interface FakeModelOptions {
  readonly config?: Partial<ModelConfig>;
  /** The greedy next id after a sequence of clean ids. */
  readonly next?: (prefix: readonly number[]) => number;
  /** Probability of the prediction at an absolute position, prompt included. Default 0.5 + position-dependent. */
  readonly confidence?: (position: number) => number;
  /** Runs before every forward, which is numbered from 0; may throw. */
  readonly onForward?: (index: number) => void | Promise<void>;
  /** Tokens in the pool. */
  readonly poolTokens?: number;
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
  /** Every forward, in order. */
  readonly forwards: Forward[] = [];
  readonly caches: FakeCache[] = [];
  readonly memory = { weights: 0, kvPool: 0, scratch: 0, total: 0 };
  readonly maxTokens: number;
  readonly maxForward = 64;
  readonly #options: FakeModelOptions;
  #started = 0;

  constructor(options: FakeModelOptions = {}) {
    this.#options = options;
    this.config = { ...fakeConfig, ...options.config };
    this.maxTokens = options.poolTokens ?? 8192;
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

  createCache(maxTokens: number): KvCache {
    if (maxTokens > this.freeTokens) {
      throw new OutOfMemoryError(`${maxTokens} tokens do not fit`, maxTokens <= this.maxTokens);
    }
    const cache = new FakeCache(maxTokens);
    this.caches.push(cache);
    return cache;
  }

  async commit(ids: Int32Array, cache: KvCache, ask: CommitAsk): Promise<Predictions> {
    const own = await this.#begin('commit', ids, cache, []);
    return this.#append(own, ids, ask);
  }

  async denoise(ids: Int32Array, cache: KvCache, ask: DenoiseAsk): Promise<Predictions> {
    const own = await this.#begin('denoise', ids, cache, [...ask.positions]);
    return this.#fill(own, ids, ask, this.config.logitShift && ids[0] === this.config.maskTokenId);
  }

  async advance(ids: Int32Array, block: Int32Array, cache: KvCache, ask: AdvanceAsk): Promise<Advanced> {
    const { rows, sampling, positions, blockSampling } = ask;
    const own = await this.#begin('advance', Int32Array.of(...ids, ...block), cache, [...positions]);
    breach(ids.length === 0 || block.length === 0, 'advance without clean tokens or without a block');
    breach(ids.length + block.length > this.maxForward, 'advance past maxForward');
    const committed = this.#append(own, ids, { rows, ...(sampling && { sampling }) });
    return {
      committed,
      block: this.#fill(own, block, { positions, ...(blockSampling && { sampling: blockSampling }) }, false),
    };
  }

  #append(own: FakeCache, ids: Int32Array, ask: CommitAsk): Predictions {
    breach(ids.includes(this.config.maskTokenId), 'commit of a mask');
    own.ids.push(...ids);
    const prefixes =
      ask.rows === 'last' ? [own.ids] : Array.from(ids, (_, i) => own.ids.slice(0, own.length - ids.length + i + 1));
    return this.#predict(
      prefixes.map((prefix) => this.#next(prefix)),
      prefixes.map((prefix) => prefix.length),
      ask.sampling,
    );
  }

  /** @param blind the first position is a mask that nothing before it decides */
  #fill(own: FakeCache, ids: Int32Array, ask: DenoiseAsk, blind: boolean): Predictions {
    const { maskTokenId, logitShift } = this.config;
    const positions = [...ask.positions];
    breach(positions.length === 0, 'denoise of no position');
    breach(
      positions.some((position) => ids[position] !== maskTokenId),
      'denoise of a position that is no mask',
    );
    breach(
      positions.some((position, i) => i > 0 && position <= positions[i - 1]!),
      'positions not ascending',
    );
    breach(blind || (logitShift && positions[0] === 0), 'position 0 asked for despite logitShift');
    const filled = [...own.ids];
    for (const id of ids) filled.push(id === maskTokenId ? this.#next(filled) : id);
    return this.#predict(
      positions.map((position) => filled[own.length + position]!),
      positions.map((position) => own.length + position),
      ask.sampling,
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
    this.forwards.push({ kind, ids: [...ids], positions });
    return own;
  }

  #next(prefix: readonly number[]): number {
    return (this.#options.next ?? chain)(prefix);
  }

  #predict(greedy: number[], positions: number[], sampling: Sampling | undefined): Predictions {
    breach(sampling !== undefined && sampling.uniforms.length !== greedy.length, 'one uniform per row');
    // A draw moves the greedy id by up to 3: enough to tell seeds apart.
    const ids = greedy.map((id, row) => id + Math.floor((sampling?.uniforms[row] ?? 0) * 4));
    const confidence = this.#options.confidence ?? ((position) => 0.5 + ((position * 7) % 10) / 20);
    return {
      ids: Int32Array.from(ids),
      probs: Float32Array.from(positions, confidence),
      entropies: new Float32Array(ids.length),
    };
  }
}

export class FakeCache implements KvCache {
  readonly capacity: number;
  readonly ids: number[] = [];
  busy = false;
  freed = false;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get length(): number {
    return this.ids.length;
  }

  truncate(length: number): void {
    breach(this.busy || length > this.ids.length, 'truncate during a forward, or past the end');
    this.ids.length = length;
  }

  free(): void {
    breach(this.busy, 'free during a forward');
    this.freed = true;
  }
}

function breach(broken: boolean, what: string): void {
  if (broken) throw new Error(`contract: ${what}`);
}
