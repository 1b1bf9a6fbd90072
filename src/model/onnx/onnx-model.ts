/** `DiffusionModel` on ONNX Runtime Web: on WebGPU, or on its own WASM kernels as a cross-check. */
import type { InferenceSession, Tensor } from 'onnxruntime-web';
import { MAX_ALTERNATIVES, mostProbable } from '../alternatives.ts';
import type { ModelConfig } from '../config.ts';
import { type CostCurve, PROPORTIONAL } from '../cost-curve.ts';
import { ModelLoadError, OutOfMemoryError } from '../errors.ts';
import { type Forward, PlannedModel, type Question } from '../forward/planned-model.ts';
import { cacheOrigin, range } from '../forward/rows.ts';
import { measureCosts, SESSION_TIMING } from '../measure-costs.ts';
import type { CachePrefix, DiffusionModel, KvCache, MemoryUse, RuntimeName } from '../model.ts';
import type { WeightSource } from '../weight-source.ts';
import { readManifest } from '../weights.ts';
import { MAX_ROWS } from '../workspace.ts';
import { type Backend, kvNames, type SessionTensors, tokenBytes } from './backend.ts';
import { chooseId } from './choose-id.ts';
import { buildDecoderGraph, MASKS } from './decoder-graph.ts';
import { createTables, readExternalData } from './external-data.ts';
import { OnnxCache } from './onnx-cache.ts';
import { alone } from './runs.ts';

/** Added to scores of positions that a row must not see. It fits fp16. */
const UNSEEN = -30_000;

/** A row of the output `best`. */
type Answer = readonly [id: number, prob: number, entropy: number, targetProb: number];

export class OnnxModel extends PlannedModel<OnnxCache> implements DiffusionModel {
  readonly config: ModelConfig;
  readonly maxForward = MAX_ROWS;
  /** The graph has one past. */
  readonly batchRows = 0;
  readonly maxAlternatives = MAX_ALTERNATIVES;
  readonly maxTokens: number;
  readonly memory: MemoryUse;
  readonly runtime: RuntimeName;
  /** The device or engine, in words. */
  readonly adapter: string;
  costs: CostCurve = PROPORTIONAL;
  freeTokens: number;
  readonly #backend: Backend;
  readonly #session: InferenceSession;

  /**
   * Loads the weights, builds the graph, and times a few forwards, which also compiles its shaders.
   * @param kvTokens KV tokens at most, all requests together
   * @param costs known costs of forwards: nothing is timed then
   * @throws ModelLoadError naming the file, or saying what the runtime could not do
   */
  static async load(
    source: WeightSource,
    config: ModelConfig,
    backend: Backend,
    kvTokens: number,
    costs: CostCurve | null,
  ): Promise<OnnxModel> {
    const manifest = await readManifest(source);
    const external = await readExternalData(source, manifest);
    const tables = createTables(config, kvTokens);
    const graph = buildDecoderGraph(config, external.tensors, tables, kvTokens, backend.precision);
    const session = await alone(() => backend.open(config, graph, [...external.files, tables.file])).catch((error) => {
      throw new ModelLoadError(`${config.name} does not run on ${backend.adapter}: ${error}`);
    });
    const weights = external.bytes + tables.file.data.length;
    const model = new OnnxModel(config, backend, session, kvTokens, weights);
    model.costs = costs ?? (await model.#measure());
    return model;
  }

  private constructor(
    config: ModelConfig,
    backend: Backend,
    session: InferenceSession,
    kvTokens: number,
    weights: number,
  ) {
    super();
    this.config = config;
    this.#backend = backend;
    this.#session = session;
    this.runtime = backend.runtime;
    this.adapter = backend.adapter;
    this.maxTokens = kvTokens;
    this.freeTokens = kvTokens;
    const kvPool = kvTokens * tokenBytes(config, backend.precision);
    this.memory = { weights, kvPool, scratch: 0, total: weights + kvPool };
  }

  /** Releases the weights. All caches must be free by then. */
  async release(): Promise<void> {
    await alone(() => this.#session.release());
  }

  createCache(
    maxTokens: number,
    prefix?: CachePrefix,
    _first?: number,
    context: ModelConfig['contextAttention'] = this.config.contextAttention,
  ): OnnxCache {
    if (maxTokens > this.maxTokens) {
      throw new OutOfMemoryError(`${maxTokens} tokens of KV cache do not fit; at most ${this.maxTokens} do`, false);
    }
    if (maxTokens > this.freeTokens) {
      throw new OutOfMemoryError(
        `${maxTokens} tokens of KV cache do not fit now; ${this.freeTokens} of ${this.maxTokens} are free`,
        true,
      );
    }
    const store = this.#backend.createStore(this.config, maxTokens);
    this.freeTokens -= maxTokens;
    const origin = cacheOrigin(this.config, prefix);
    return new OnnxCache(maxTokens, context, origin, store, () => {
      this.freeTokens += maxTokens;
    });
  }

  protected override own(cache: KvCache): OnnxCache {
    if (cache instanceof OnnxCache) return cache;
    throw new TypeError('this cache was made by another model');
  }

  /** One run of the graph, with no other run beside it. */
  protected override async run(batch: readonly Forward<OnnxCache>[]): Promise<void> {
    const { cache, append, questions } = batch[0]!;
    const asked = questions.filter(({ rows }) => rows.length > 0);
    await cache.during((store) =>
      alone(async () => {
        // The length is read in this run's turn: earlier runs may have changed it while this one waited.
        const start = cache.length;
        const feeds = { ...this.#inputs(batch[0]!, start, asked), ...store.past(start) };
        const reading = asked.some(({ ask }) => ask.sampling || ask.alternatives);
        const wanted = ['best', ...(reading ? ['logits'] : []), ...(append > 0 ? this.#presents : [])];
        const outputs: SessionTensors = await this.#session.run(feeds, wanted);
        if (append > 0) {
          store.append(start, append, outputs);
          cache.length = start + append;
        }
        const logits = reading ? ((await outputs.logits?.getData(true)) as Float32Array) : null;
        this.#answer(asked, outputs.best?.data as Float32Array, logits);
        for (const name of ['best', 'logits']) outputs[name]?.dispose();
      }),
    );
  }

  get #presents(): string[] {
    return kvNames(this.config).map(({ present }) => present);
  }

  #inputs(
    { ids, visible, masks }: Forward<OnnxCache>,
    start: number,
    asked: readonly Question[],
  ): Record<string, Tensor> {
    const integers = (values: ArrayLike<number>, dims: readonly number[]) =>
      this.#backend.tensor('int64', BigInt64Array.from(Array.from(values, BigInt)), dims);
    const rows = asked.flatMap((question) => Array.from(question.rows));
    const targets = asked.flatMap(({ rows, ask }) =>
      // The graph always wants a target; its answer is not read where none was asked for.
      Array.from(rows, (_, i) => (ask.targets ? ask.targets[i]! : 0)),
    );
    // WebGPU cannot run a graph with an empty input.
    if (rows.length === 0) {
      rows.push(0);
      targets.push(0);
    }
    const count = ids.length;
    return {
      ids: integers(ids, [1, count]),
      positions: integers(
        [...range(start, start + count - masks.length), ...masks.map((place) => start + place)],
        [1, count],
      ),
      rows: integers(rows, [rows.length]),
      targets: integers(targets, [1, rows.length, 1]),
      bias: this.#bias(visible, start, masks),
      ...(this.config.drafts && { [MASKS]: this.#masks(ids) }),
    };
  }

  /** 1 on rows of the mask token. (1, T, 1) */
  #masks(input: Int32Array): Tensor {
    const masks = Float32Array.from(input, (id) => (id === this.config.maskTokenId ? 1 : 0));
    return this.#backend.floats(masks, [1, input.length, 1]);
  }

  /**
   * Zero where a row sees a column. One number if all rows see all columns, else (T, P + T). Of the columns of masks, which
   * stand in the place of tokens, each mask sees its own alone.
   */
  #bias(visible: Int32Array, start: number, masks: Int32Array): Tensor {
    const rows = visible.length;
    const columns = start + rows;
    if (visible.every((count) => count >= columns)) return this.#backend.floats(new Float32Array(1), [1, 1, 1, 1]);
    const bias = new Float32Array(rows * columns);
    const placed = rows - masks.length;
    visible.forEach((count, row) => {
      const seen = row < placed ? Math.min(count, start + placed) : count - 1;
      bias.fill(UNSEEN, row * columns + seen, (row + 1) * columns);
      if (row >= placed) bias[row * columns + start + row] = 0;
    });
    return this.#backend.floats(bias, [1, 1, rows, columns]);
  }

  /**
   * @param best (R, 4) id, probability, entropy, probability of the target
   * @param logits (R, V), read back only for sampling or alternatives
   */
  #answer(asked: readonly Question[], best: Float32Array, logits: Float32Array | null): void {
    const { vocabSize, maskTokenId } = this.config;
    let row = 0;
    for (const { rows, ask, predictions } of asked) {
      for (let i = 0; i < rows.length; i++, row++) {
        const [id, prob, entropy, target] = best.subarray(row * 4, row * 4 + 4) as Iterable<number> as Answer;
        predictions.ids[i] = id;
        predictions.probs[i] = prob;
        predictions.entropies[i] = entropy;
        if (predictions.targetProbs) predictions.targetProbs[i] = target;
        if (!logits) continue;
        const plain = logits.subarray(row * vocabSize, (row + 1) * vocabSize);
        const { topIds, topProbs } = predictions;
        if (topIds && topProbs) {
          const { alternatives = 0 } = ask;
          const top = [i * alternatives, (i + 1) * alternatives] as const;
          mostProbable(plain, maskTokenId, topIds.subarray(...top), topProbs.subarray(...top));
        }
        if (!ask.sampling) continue;
        const chosen = chooseId(plain.slice(), ask.sampling, i);
        predictions.ids[i] = chosen;
        predictions.probs[i] = prob * Math.exp(plain[chosen]! - plain[id]!);
      }
    }
  }

  async #measure(): Promise<CostCurve> {
    const most = Math.min(MAX_ROWS, this.maxTokens);
    const cache = this.createCache(most);
    try {
      const forward = async (count: number) => {
        await this.commit(new Int32Array(count), cache, { rows: 'last' });
        cache.truncate(0);
      };
      return await measureCosts(forward, most, SESSION_TIMING);
    } finally {
      cache.free();
    }
  }
}
