/**
 * `DiffusionModel` on the scalar oracle: dequantized weights, no tricks, and float32 everywhere or the rounding of the kernels.
 * It is slow, and made for tests and small models.
 */

import { MAX_ALTERNATIVES, mostProbable } from '../model/alternatives.ts';
import type { ModelConfig } from '../model/config.ts';
import { PROPORTIONAL } from '../model/cost-curve.ts';
import { OutOfMemoryError } from '../model/errors.ts';
import { oneByOne } from '../model/forward/one-by-one.ts';
import { emptyPredictions } from '../model/forward/predictions.ts';
import { blockRows, cacheOrigin, staleTokens } from '../model/forward/rows.ts';
import { committedVisible } from '../model/forward/visibility.ts';
import { FixedRoom } from '../model/kv/fixed-room.ts';
import { draftNames, draftWidth } from '../model/manifest.ts';
import type {
  Adjustment,
  AdvanceAsk,
  Advanced,
  CachePrefix,
  CommitAsk,
  DenoiseAsk,
  DiffusionModel,
  KvCache,
  MemoryUse,
  Predictions,
  RowAsk,
  SequenceForward,
} from '../model/model.ts';
import { ropeFrequencies, ropeMagnitude } from '../model/rope.ts';
import type { WeightSource } from '../model/weight-source.ts';
import { readFloats } from './float-weights.ts';
import * as scalar from './scalar.ts';

class ScalarCache extends FixedRoom implements KvCache {
  length = 0;
  readonly capacity: number;
  readonly keys: Float32Array[]; // per layer (capacity, kvHeads * d)
  readonly values: Float32Array[];
  /** Position at which the first whole block begins. */
  readonly origin: number;
  readonly context: ModelConfig['contextAttention'];
  readonly #onFree: () => void;
  #freed = false;

  constructor(
    capacity: number,
    { numLayers, numKvHeads, headDim }: ModelConfig,
    context: ModelConfig['contextAttention'],
    origin: number,
    onFree: () => void,
  ) {
    super();
    this.capacity = capacity;
    this.context = context;
    this.origin = origin;
    this.#onFree = onFree;
    const room = () => new Float32Array(capacity * numKvHeads * headDim);
    this.keys = Array.from({ length: numLayers }, room);
    this.values = Array.from({ length: numLayers }, room);
  }

  truncate(length: number): void {
    this.length = length;
  }

  /** Nothing is kept: every request runs its whole prompt. */
  share(): void {}

  free(): void {
    if (!this.#freed) this.#onFree();
    this.#freed = true;
  }
}

export class ScalarModel implements DiffusionModel {
  readonly config: ModelConfig;
  readonly runtime = 'scalar';
  readonly maxTokens: number;
  readonly maxForward = Number.POSITIVE_INFINITY;
  readonly batchRows = 0;
  readonly maxAlternatives = MAX_ALTERNATIVES;
  readonly costs = PROPORTIONAL;
  readonly memory: MemoryUse;
  freeTokens: number;
  readonly #tensors: ReadonlyMap<string, Float32Array>;
  /** Linear layers whose input the kernels round to int8. */
  readonly #rounded: ReadonlySet<string>;
  readonly #roundKv: boolean;

  /** @param roundActivations round inputs of quantized layers, and K and V, to int8 as the kernels do, to compare with them. */
  static async load(
    source: WeightSource,
    config: ModelConfig,
    maxTokens: number,
    roundActivations = false,
  ): Promise<ScalarModel> {
    const { tensors, quantized } = await readFloats(source);
    return new ScalarModel(config, tensors, roundActivations ? quantized : new Set(), roundActivations, maxTokens);
  }

  private constructor(
    config: ModelConfig,
    tensors: ReadonlyMap<string, Float32Array>,
    rounded: ReadonlySet<string>,
    roundKv: boolean,
    maxTokens: number,
  ) {
    this.config = config;
    this.#tensors = tensors;
    this.#rounded = rounded;
    this.#roundKv = roundKv;
    this.maxTokens = maxTokens;
    this.freeTokens = maxTokens;
    const weights = [...tensors.values()].reduce((sum, t) => sum + t.byteLength, 0);
    this.memory = { weights, kvPool: 0, scratch: 0, total: weights };
  }

  createCache(
    maxTokens: number,
    prefix?: CachePrefix,
    _first?: number,
    context: ModelConfig['contextAttention'] = this.config.contextAttention,
  ): KvCache {
    if (maxTokens > this.freeTokens) {
      throw new OutOfMemoryError(`${maxTokens} tokens do not fit`, maxTokens <= this.maxTokens);
    }
    this.freeTokens -= maxTokens;
    const origin = cacheOrigin(this.config, prefix);
    return new ScalarCache(maxTokens, this.config, context, origin, () => {
      this.freeTokens += maxTokens;
    });
  }

  async forward(batch: readonly SequenceForward[]): Promise<readonly Advanced[]> {
    const answers: Advanced[] = [];
    for (const sequence of batch) {
      const committed = sequence.ask.byMasks ? await this.#byMasks(sequence) : null;
      const ask: AdvanceAsk = committed ? { ...sequence.ask, rows: 'none', sampling: undefined } : sequence.ask;
      const [answer] = await oneByOne(this, [{ ...sequence, ask }]);
      answers.push(committed ? { committed, block: answer!.block } : answer!);
    }
    return answers;
  }

  /** Block length 1, as it is said: commits the tokens up to there, then runs a mask. The cache is as before. */
  async #byMasks({ cache, clean, ask }: SequenceForward): Promise<Predictions> {
    const own = cache as ScalarCache;
    const start = own.length;
    const first = { none: clean.length, last: Math.max(clean.length - 1, 0), all: 0 }[ask.rows];
    const predictions = emptyPredictions(clean.length - first, ask, this.config);
    const logits: Float32Array[] = [];
    for (let end = first + 1; end <= clean.length; end++) {
      await this.commit(clean.subarray(0, end), own, { rows: 'none' });
      const mask = Int32Array.of(this.config.maskTokenId);
      logits.push(this.logits(mask, own, Int32Array.of(own.length + 1))[0]!);
      own.truncate(start);
    }
    return this.#predict(logits, ask, predictions);
  }

  async commit(ids: Int32Array, cache: KvCache, ask: CommitAsk): Promise<Predictions> {
    const own = cache as ScalarCache;
    const rows = { none: 0, last: 1, all: ids.length }[ask.rows];
    const predictions = emptyPredictions(rows, ask, this.config);
    const end = own.length + ids.length;
    const semantics = { contextAttention: own.context, blockLength: this.config.blockLength };
    const visible = ids.map((_, i) => committedVisible(semantics, own.length + i, end, own.origin));
    const logits = this.logits(ids, own, visible);
    own.length = end;
    return this.#predict(logits.slice(ids.length - rows), ask, predictions);
  }

  async denoise(ids: Int32Array, cache: KvCache, ask: DenoiseAsk): Promise<Predictions> {
    const own = cache as ScalarCache;
    const { keep, ahead } = staleTokens(this.config, ids.length, ask);
    if (own.length + ids.length + ahead > own.capacity) throw new RangeError('no room in the cache');
    const rows = blockRows(this.config, this.maxForward, ids.length, ask.positions, 0);
    const predictions = emptyPredictions(rows.length, ask, this.config);
    const logits = this.logits(ids, own, new Int32Array(ids.length).fill(own.length + ids.length + ahead));
    own.length += keep;
    return this.#predict(
      Array.from(rows, (row) => logits[row]!),
      ask,
      predictions,
    );
  }

  /** A commit, then a denoise: the result that a forward which does both at once must equal. */
  async advance(ids: Int32Array, block: Int32Array, cache: KvCache, ask: AdvanceAsk): Promise<Advanced> {
    const { positions, blockSampling, blockTargets, alternatives } = ask;
    const committed = await this.commit(ids, cache, ask);
    const draft = { positions, sampling: blockSampling, targets: blockTargets, alternatives };
    return { committed, block: await this.denoise(block, cache, draft) };
  }

  /** Logits (rows)(V) of `ids` after the cache. Their KV is written past its length. */
  logits(ids: Int32Array, cache: ScalarCache, visible: Int32Array): Float32Array[] {
    const { hiddenSize, intermediateSize, numHeads, numKvHeads, headDim, rmsNormEps } = this.config;
    const frequencies = ropeFrequencies(this.config);
    const magnitude = ropeMagnitude(this.config);
    const rows = ids.length;
    if (cache.length + rows > cache.capacity) throw new RangeError('no room in the cache');
    const embedding = this.#tensor('model.embed_tokens.weight');
    let x = new Float32Array(rows * hiddenSize);
    ids.forEach((id, r) => {
      x.set(embedding.subarray(id * hiddenSize, (id + 1) * hiddenSize), r * hiddenSize);
    });
    const kvWidth = numKvHeads * headDim;
    for (let l = 0; l < this.config.numLayers; l++) {
      const layer = `model.layers.${l}.`;
      const normed = scalar.rmsNorm(x, this.#tensor(`${layer}input_layernorm.weight`), hiddenSize, rmsNormEps);
      const head = (name: string, n: number) => this.#linear(normed, `${layer}self_attn.${name}`, ids, n);
      const rotate = (y: Float32Array, norm: string) => {
        const given = this.config.qkNorm
          ? scalar.rmsNorm(y, this.#tensor(`${layer}self_attn.${norm}.weight`), headDim, rmsNormEps)
          : y;
        return scalar.rope(given, rows, cache.length, frequencies, magnitude);
      };
      const exact = rotate(head('q_proj', numHeads * headDim), 'q_norm');
      const q = this.#roundKv ? scalar.roundTripQueries(exact, headDim) : exact;
      const stored = (y: Float32Array) => (this.#roundKv ? scalar.roundTripKv(y, headDim) : y);
      cache.keys[l]!.set(stored(rotate(head('k_proj', kvWidth), 'k_norm')), cache.length * kvWidth);
      cache.values[l]!.set(stored(head('v_proj', kvWidth)), cache.length * kvWidth);
      const keys = cache.keys[l]!;
      const values = cache.values[l]!;
      const mixed = scalar.attention(q, keys, values, visible, numHeads, numKvHeads, headDim, this.#roundKv);
      x = add(x, this.#linear(mixed, `${layer}self_attn.o_proj`, ids, hiddenSize));
      const post = scalar.rmsNorm(x, this.#tensor(`${layer}post_attention_layernorm.weight`), hiddenSize, rmsNormEps);
      const gate = this.#linear(post, `${layer}mlp.gate_proj`, ids, intermediateSize);
      const up = this.#linear(post, `${layer}mlp.up_proj`, ids, intermediateSize);
      x = add(x, this.#linear(scalar.swiglu(gate, up), `${layer}mlp.down_proj`, ids, hiddenSize));
    }
    const normed = scalar.rmsNorm(x, this.#tensor('model.norm.weight'), hiddenSize, rmsNormEps);
    const name = this.config.tieWordEmbeddings ? 'model.embed_tokens' : 'lm_head';
    const logits = this.#linear(normed, name, ids, this.config.vocabSize);
    return Array.from(ids, (_, r) => logits.slice(r * this.config.vocabSize, (r + 1) * this.config.vocabSize));
  }

  #linear(x: Float32Array, name: string, ids: Int32Array, n: number): Float32Array {
    const rows = ids.length;
    const weight = `${name}.weight`;
    const input = this.#rounded.has(weight) ? scalar.roundTripQ8(x) : x;
    const y = scalar.matmul(input, this.#tensor(weight), rows, n, x.length / rows);
    this.#addDrafts(y, input, name, ids);
    const bias = this.#tensors.get(`${name}.bias`);
    return bias ? y.map((v, i) => v + bias[i % n]!) : y;
  }

  /** The adapter of a matrix, on mask rows alone. y (T, N) += B A x */
  #addDrafts(y: Float32Array, x: Float32Array, name: string, ids: Int32Array): void {
    const { drafts, maskTokenId } = this.config;
    const names = draftNames(name);
    const a = this.#tensors.get(names.a);
    if (drafts === null || a === undefined) return;
    const b = this.#tensor(names.b);
    const [k, n, width] = [x.length / ids.length, y.length / ids.length, draftWidth(drafts.rank)];
    for (const [r, id] of ids.entries()) {
      if (id !== maskTokenId) continue;
      const low = new Float32Array(width);
      low.set(scalar.matmul(x.subarray(r * k, (r + 1) * k), a, 1, drafts.rank, k));
      const input = this.#rounded.has(names.b) ? scalar.roundTripQ8(low) : low;
      const correction = scalar.matmul(input, b, 1, n, width);
      for (let i = 0; i < n; i++) y[r * n + i]! += correction[i]!;
    }
  }

  #tensor(name: string): Float32Array {
    const tensor = this.#tensors.get(name);
    if (!tensor) throw new Error(`tensor ${name} is missing`);
    return tensor;
  }

  #predict(logits: readonly Float32Array[], ask: RowAsk, predictions: Predictions): Predictions {
    const { sampling, targets, alternatives = 0 } = ask;
    const { temperature, topK, topP, minP } = sampling ?? GREEDY;
    for (const [i, row] of logits.entries()) {
      const { id, prob, entropy, targetProb } = scalar.headPredict(row, this.config.maskTokenId, {
        temperature,
        topK,
        topP,
        minP,
        uniform: sampling ? sampling.uniforms[i]! : 0,
        target: targets?.[i] ?? -1,
        ...(sampling?.adjustments?.[i] ?? UNCHANGED),
      });
      predictions.ids[i] = id;
      predictions.probs[i] = prob;
      predictions.entropies[i] = entropy;
      if (predictions.targetProbs) predictions.targetProbs[i] = targetProb;
      const top = [i * alternatives, (i + 1) * alternatives] as const;
      const { topIds, topProbs } = predictions;
      if (topIds && topProbs)
        mostProbable(row, this.config.maskTokenId, topIds.subarray(...top), topProbs.subarray(...top));
    }
    return predictions;
  }
}

const GREEDY = { temperature: 0, topK: 0, topP: 1, minP: 0 };
const UNCHANGED: Adjustment = { ids: new Int32Array(), deltas: new Float32Array() };

function add(x: Float32Array, y: Float32Array): Float32Array<ArrayBuffer> {
  return Float32Array.from(x, (v, i) => v + y[i]!);
}
