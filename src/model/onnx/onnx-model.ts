/** `DiffusionModel` on ONNX Runtime Web: WebGPU, or its own WASM kernels to check against. */
import type { InferenceSession, Tensor } from 'onnxruntime-web';
import { MAX_ALTERNATIVES, mostProbable } from '../alternatives.ts';
import type { ModelConfig } from '../config.ts';
import { type CostCurve, PROPORTIONAL } from '../cost-curve.ts';
import { ModelLoadError, OutOfMemoryError } from '../errors.ts';
import { blockRows, commitRows, range } from '../forward-rows.ts';
import type {
  AdvanceAsk,
  Advanced,
  CommitAsk,
  DenoiseAsk,
  DiffusionModel,
  KvCache,
  MemoryUse,
  Predictions,
  RowAsk,
  RuntimeName,
} from '../model.ts';
import { emptyPredictions } from '../predictions.ts';
import { committedVisible } from '../visibility.ts';
import type { WeightSource } from '../weight-source.ts';
import { readManifest } from '../weights.ts';
import { MAX_ROWS } from '../workspace.ts';
import { type Backend, kvNames, type Tensors, tokenBytes } from './backend.ts';
import { chooseId } from './choose-id.ts';
import { buildDecoderGraph } from './decoder-graph.ts';
import { createTables, readExternalData } from './external-data.ts';
import { measureForwards } from './measure-costs.ts';
import { OnnxCache } from './onnx-cache.ts';
import { alone } from './runs.ts';

/** Added to a score that must not count. fp16 holds it. */
const UNSEEN = -30_000;

/** Rows of a forward, what is asked of them, and where the answers go. */
interface Question {
  readonly rows: Int32Array; // (R)
  readonly ask: RowAsk;
  readonly predictions: Predictions;
  /** Of the ask's and the predictions' entries, the one for the first row. */
  readonly from: number;
}

export class OnnxModel implements DiffusionModel {
  readonly config: ModelConfig;
  readonly maxForward = MAX_ROWS;
  readonly maxAlternatives = MAX_ALTERNATIVES;
  readonly maxTokens: number;
  readonly memory: MemoryUse;
  readonly runtime: RuntimeName;
  /** What computes, in words. */
  readonly adapter: string;
  costs: CostCurve = PROPORTIONAL;
  freeTokens: number;
  readonly #backend: Backend;
  readonly #session: InferenceSession;

  /**
   * Loads the weights, builds the graph, and times a few forwards, which also compiles its shaders.
   * @param kvTokens KV tokens at most, all requests together
   * @param costs spares the timing
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

  /** Lets go of the weights. Caches have to be free by then. */
  async release(): Promise<void> {
    await alone(() => this.#session.release());
  }

  createCache(maxTokens: number): OnnxCache {
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
    return new OnnxCache(maxTokens, store, () => {
      this.freeTokens += maxTokens;
    });
  }

  async commit(ids: Int32Array, cache: KvCache, ask: CommitAsk): Promise<Predictions> {
    const own = ownCache(cache);
    own.requireRoom(ids.length);
    const all = ask.rows === 'all';
    const predictions = emptyPredictions(all ? ids.length : 1, ask, this.config);
    for (let from = 0; from < ids.length; ) {
      const count = commitRows(this.config, own.length, ids.length - from);
      const end = own.length + ids.length - from;
      const input = ids.subarray(from, from + count);
      const visible = input.map((_, i) => committedVisible(this.config, own.length + i, end));
      const questions: Question[] = [];
      if (all) questions.push({ rows: range(0, count), ask, predictions, from });
      else if (from + count === ids.length)
        questions.push({ rows: range(count - 1, count), ask, predictions, from: 0 });
      await this.#forward(input, visible, own, questions, count);
      from += count;
    }
    return predictions;
  }

  async denoise(ids: Int32Array, cache: KvCache, ask: DenoiseAsk): Promise<Predictions> {
    const own = ownCache(cache);
    own.requireRoom(ids.length);
    const rows = blockRows(this.config, this.maxForward, ids.length, ask.positions, 0);
    const predictions = emptyPredictions(rows.length, ask, this.config);
    const visible = new Int32Array(ids.length).fill(own.length + ids.length);
    await this.#forward(ids, visible, own, [{ rows, ask, predictions, from: 0 }], 0);
    return predictions;
  }

  async advance(ids: Int32Array, block: Int32Array, cache: KvCache, ask: AdvanceAsk): Promise<Advanced> {
    const own = ownCache(cache);
    const clean = ids.length;
    const input = Int32Array.of(...ids, ...block);
    own.requireRoom(input.length);
    const rows = blockRows(this.config, this.maxForward, input.length, ask.positions, clean);
    const first = ask.rows === 'all' ? 0 : clean - 1;
    const committed = emptyPredictions(clean - first, ask, this.config);
    const { alternatives } = ask;
    const blockAsk = { sampling: ask.blockSampling, targets: ask.blockTargets, alternatives };
    const drafted = emptyPredictions(rows.length, blockAsk, this.config);
    const end = own.length + clean;
    const visible = input.map((_, i) =>
      i < clean ? committedVisible(this.config, own.length + i, end) : own.length + input.length,
    );
    const questions = [
      { rows: range(first, clean), ask, predictions: committed, from: 0 },
      { rows, ask: blockAsk, predictions: drafted, from: 0 },
    ];
    await this.#forward(input, visible, own, questions, clean);
    return { committed, block: drafted };
  }

  /**
   * One run of the graph, alone. The first `keep` rows become the cache's next tokens.
   * @param visible (T) how many positions, counted from 0, each row attends to
   */
  async #forward(
    input: Int32Array,
    visible: Int32Array,
    cache: OnnxCache,
    questions: readonly Question[],
    keep: number,
  ): Promise<void> {
    const asked = questions.filter(({ rows }) => rows.length > 0);
    await cache.during((store) =>
      alone(async () => {
        // Whatever ran before this one's turn may have moved the cache: a request runs one forward at a time.
        const start = cache.length;
        const feeds = { ...this.#inputs(input, start, visible, asked), ...store.past(start) };
        const reading = asked.some(({ ask }) => ask.sampling || ask.alternatives);
        const wanted = ['best', ...(reading ? ['logits'] : []), ...(keep > 0 ? this.#presents : [])];
        const outputs: Tensors = await this.#session.run(feeds, wanted);
        if (keep > 0) {
          store.append(start, keep, outputs);
          cache.length = start + keep;
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

  #inputs(input: Int32Array, start: number, visible: Int32Array, asked: readonly Question[]): Record<string, Tensor> {
    const integers = (values: ArrayLike<number>, dims: readonly number[]) =>
      this.#backend.tensor('int64', BigInt64Array.from(Array.from(values, BigInt)), dims);
    const rows = asked.flatMap((question) => Array.from(question.rows));
    const targets = asked.flatMap(({ rows, ask, from }) => Array.from(rows, (_, i) => ask.targets?.[from + i] ?? 0));
    // No rows at all is more than WebGPU can do.
    if (rows.length === 0) {
      rows.push(0);
      targets.push(0);
    }
    const count = input.length;
    return {
      ids: integers(input, [1, count]),
      positions: integers(range(start, start + count), [1, count]),
      rows: integers(rows, [rows.length]),
      targets: integers(targets, [1, rows.length, 1]),
      bias: this.#bias(visible, start + count),
    };
  }

  /** Zero where a row sees a position: one number where all see all, else (T, P + T). */
  #bias(visible: Int32Array, positions: number): Tensor {
    if (visible.every((count) => count >= positions)) return this.#backend.bias(new Float32Array(1), [1, 1, 1, 1]);
    const bias = new Float32Array(visible.length * positions);
    visible.forEach((count, row) => {
      bias.fill(UNSEEN, row * positions + count, (row + 1) * positions);
    });
    return this.#backend.bias(bias, [1, 1, visible.length, positions]);
  }

  /** @param best (R, 4) id, probability, entropy, target's probability @param logits (R, V), where `best` does not do */
  #answer(asked: readonly Question[], best: Float32Array, logits: Float32Array | null): void {
    const { vocabSize, maskTokenId } = this.config;
    let row = 0;
    for (const { rows, ask, predictions, from } of asked) {
      for (let i = from; i < from + rows.length; i++, row++) {
        const [id = 0, prob = 0, entropy = 0, target = 0] = best.subarray(row * 4, row * 4 + 4);
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
        predictions.probs[i] = prob * Math.exp((plain[chosen] ?? 0) - (plain[id] ?? 0));
      }
    }
  }

  async #measure(): Promise<CostCurve> {
    const most = Math.min(MAX_ROWS, this.maxTokens);
    const cache = this.createCache(most);
    try {
      return await measureForwards(async (count) => {
        await this.commit(new Int32Array(count), cache, { rows: 'last' });
        cache.truncate(0);
      }, most);
    } finally {
      cache.free();
    }
  }
}

function ownCache(cache: KvCache): OnnxCache {
  if (cache instanceof OnnxCache) return cache;
  throw new TypeError('this cache was made by another model');
}
