/** `DiffusionModel` on the project's own WASM kernels. Runs everywhere. */
import { Arena, align, arenaBytes } from '../kernels/arena.ts';
import { Crew, crewBytes, type Threads } from '../kernels/crew.ts';
import { type DotProduct, dotProduct } from '../kernels/dot-product.ts';
import { instantiateModule, type KernelFlavour, type KernelModules, kernelModule } from '../kernels/kernels.ts';
import { MAX_ALTERNATIVES } from './alternatives.ts';
import type { ModelConfig } from './config.ts';
import type { CostCurve } from './cost-curve.ts';
import { Decoder } from './decoder.ts';
import { ModelLoadError } from './errors.ts';
import { type Forward, PlannedModel, type Question } from './forward/planned-model.ts';
import { cacheOrigin } from './forward/rows.ts';
import { PagedKvCache } from './kv/paged-cache.ts';
import { KvPool, pageTokensOf } from './kv/pool.ts';
import type { Activations } from './linear.ts';
import type { Manifest } from './manifest.ts';
import { kernelTiming, measureCosts } from './measure-costs.ts';
import type { CachePrefix, DiffusionModel, KvCache, MemoryUse } from './model.ts';
import type { WeightSource } from './weight-source.ts';
import { loadWeights, type ProgressListener, panelBytes, readManifest, weightBytes } from './weights.ts';
import { createWorkspace, MAX_ROWS, mostRows, pageBytes, scratchBytes, workspaceBytes } from './workspace.ts';

export interface WasmModelOptions {
  readonly kernels: KernelModules;
  readonly flavour?: KernelFlavour;
  readonly activations: Activations;
  /** WASM memory at most, in bytes. The KV pool gets the part that weights and scratch leave. */
  readonly memoryBudget: number;
  /** KV tokens at most, all requests together. */
  readonly kvTokens: number;
  /** Keeps KV of ended requests while there is room, for requests that begin alike. */
  readonly prefixCache: boolean;
  readonly onProgress?: ProgressListener | undefined;
  /** Several threads, if the host has them. `kernels` are then the builds for a shared memory. */
  readonly threads?: Threads | undefined;
}

/** Layers of a timed forward: enough for a timer of 0.1 ms, and a divisor of most models' layers. */
const TIMED_LAYERS = 3;

/** Where a model's WASM memory goes. All sizes are in bytes. */
export interface MemoryPlan {
  readonly weights: number;
  /** One page of KV. */
  readonly page: number;
  readonly pageTokens: number;
  /** Everything that is neither weights nor KV, for a pool of so many pages. */
  scratch(pages: number): number;
  /** All pieces of an arena, for a pool of so many pages. */
  pieces(pages: number): number;
  /** The whole WASM memory, for a pool of so many pages. */
  bytes(pages: number): number;
  /** Pages for `tokens` tokens, or as many as the budget holds. 0: it holds none. */
  pagesWithin(budget: number, tokens: number): number;
}

/** @param threads that multiply, the calling one included */
export function memoryPlan(
  manifest: Manifest,
  config: ModelConfig,
  activations: Activations,
  threads: number,
): MemoryPlan {
  const weights = weightBytes(manifest);
  const pageTokens = pageTokensOf(config);
  const page = pageBytes(config, pageTokens, activations);
  const scratch = (pages: number) => {
    const tokens = pages * pageTokens;
    const crew = threads > 1 ? crewBytes(threads, scratchBytes(config, tokens, pageTokens)) : 0;
    return workspaceBytes(config, tokens, pageTokens) + align(panelBytes(manifest)) + crew;
  };
  const pieces = (pages: number) => weights + scratch(pages) + align(pages * page);
  const bytes = (pages: number) => arenaBytes(pieces(pages));
  const pagesWithin = (budget: number, tokens: number) => {
    let pages = Math.ceil(tokens / pageTokens);
    while (pages > 0 && bytes(pages) > budget) pages--;
    return pages;
  };
  return { weights, page, pageTokens, scratch, pieces, bytes, pagesWithin };
}

export class WasmModel extends PlannedModel<PagedKvCache> implements DiffusionModel {
  readonly config: ModelConfig;
  readonly runtime = 'wasm';
  readonly maxForward: number;
  readonly batchRows = MAX_ROWS;
  readonly maxAlternatives = MAX_ALTERNATIVES;
  readonly costs: CostCurve;
  readonly memory: MemoryUse;
  readonly dot: DotProduct;
  /** For parity tests and benches; requests go through commit, denoise and advance. */
  readonly decoder: Decoder;
  readonly #pool: KvPool;
  readonly #crew: Crew | null;

  /** @throws ModelLoadError naming the file, or the budget that the weights do not fit. */
  static async load(source: WeightSource, config: ModelConfig, options: WasmModelOptions): Promise<WasmModel> {
    const manifest = await readManifest(source);
    const { threads } = options;
    const plan = memoryPlan(manifest, config, options.activations, threads?.count ?? 1);
    const { weights, page, pageTokens } = plan;
    const pages = plan.pagesWithin(options.memoryBudget, options.kvTokens);
    if (pages === 0) {
      throw new ModelLoadError(
        `${config.name}: weights of ${weights} bytes and ${plan.scratch(1)} of scratch do not fit ` +
          `the memory budget of ${options.memoryBudget} bytes`,
      );
    }
    const arena = openArena(config.name, plan.pieces(pages), threads !== undefined);
    const module = kernelModule(options.kernels, options.flavour);
    const kernels = instantiateModule(module, arena.memory);
    const kv = arena.take(pages * page);
    const panel = arena.take(panelBytes(manifest));
    const tensors = await loadWeights(source, manifest, arena, kernels, panel, options.onProgress);
    const workspace = createWorkspace(arena, config, pages * pageTokens, pageTokens);
    // Threads start last: a load that fails leaves none running.
    const ofThread = scratchBytes(config, pages * pageTokens, pageTokens);
    const crew = threads && (await Crew.start(threads, arena, module, kernels, workspace.scratch, ofThread));
    const decoder = new Decoder(config, kernels, arena, workspace, tensors, options.activations, crew);
    const memory = {
      weights,
      kvPool: pages * page,
      scratch: arena.memory.buffer.byteLength - weights - pages * page,
      total: arena.memory.buffer.byteLength,
    };
    // Blocks counted from a prompt's end do not line up with pages.
    const aligned = config.contextAttention !== 'block_causal' || config.grid === 'zero';
    const pool = new KvPool(kv, pages, page, pageTokens, config.contextAttention, options.prefixCache && aligned);
    const dot = dotProduct(kernels);
    const costs = await timeLayers(config, decoder, pool, dot);
    return new WasmModel(config, decoder, pool, memory, dot, costs, crew ?? null);
  }

  private constructor(
    config: ModelConfig,
    decoder: Decoder,
    pool: KvPool,
    memory: MemoryUse,
    dot: DotProduct,
    costs: CostCurve,
    crew: Crew | null,
  ) {
    super();
    this.config = config;
    this.decoder = decoder;
    this.memory = memory;
    this.dot = dot;
    this.costs = costs;
    this.maxForward = mostRows(config, pool.maxTokens);
    this.#pool = pool;
    this.#crew = crew;
  }

  /** Ends the threads, if there are any; then the model can run no more. */
  async close(): Promise<void> {
    await this.#crew?.close();
  }

  get freeTokens(): number {
    return this.#pool.freeTokens;
  }

  get maxTokens(): number {
    return this.#pool.maxTokens;
  }

  createCache(
    maxTokens: number,
    prefix?: CachePrefix,
    first?: number,
    context: ModelConfig['contextAttention'] = this.config.contextAttention,
  ): KvCache {
    return this.#pool.create(maxTokens, prefix, cacheOrigin(this.config, prefix), first, context);
  }

  protected override own(cache: KvCache): PagedKvCache {
    if (cache instanceof PagedKvCache) return cache;
    throw new TypeError('this cache was made by another model');
  }

  protected override run(batch: readonly Forward<PagedKvCache>[]): undefined {
    // Rows that predict nothing come first: those before the first one that does end with the last layer's KV.
    const silent = (forward: Forward<PagedKvCache>) => forward.questions.every(({ rows }) => rows.length === 0);
    const ordered = [...batch.filter(silent), ...batch.filter((forward) => !silent(forward))];
    const { pageTokens } = this.#pool;
    let total = 0;
    let from: number | null = null;
    const questions: Question[] = [];
    const sequences = ordered.map(({ ids, cache, visible, masks, questions: own }) => {
      for (const { rows, ask, predictions } of own) {
        if (rows.length === 0) continue;
        from ??= total + rows[0]!;
        const offset = total;
        questions.push({ rows: rows.map((row) => offset + row), ask, predictions });
      }
      total += ids.length;
      const pages = cache.pages.subarray(0, Math.ceil(visible.reduce((a, b) => Math.max(a, b), 0) / pageTokens));
      return { ids, start: cache.length, visible, pages, masks };
    });
    this.decoder.forward(sequences, pageTokens, from ?? total - 1);
    // First, as it may throw: a cache has all of a forward or nothing.
    this.decoder.predict(questions);
    for (const { cache, ids, append, clean } of ordered) {
      const appended = ids.subarray(0, append);
      if (clean) cache.advance(appended);
      else if (append > 0) cache.keep(appended);
    }
  }
}

/** Times a few layers on pages that no request has yet. */
async function timeLayers(config: ModelConfig, decoder: Decoder, pool: KvPool, dot: DotProduct): Promise<CostCurve> {
  const most = Math.min(MAX_ROWS, pool.maxTokens);
  const cache = pool.create(most);
  // Each run takes the layers after the last run's: a real forward finds their weights in memory, not in the cache.
  let top = 0;
  const forward = (rows: number) => {
    const visible = Int32Array.from({ length: rows }, (_, i) => i + 1);
    const bottom = Math.min(top + TIMED_LAYERS, config.numLayers);
    decoder.forward(
      [{ ids: new Int32Array(rows), start: 0, visible, pages: cache.pages }],
      pool.pageTokens,
      0,
      top,
      bottom,
    );
    top = bottom % config.numLayers;
  };
  try {
    return await measureCosts(forward, most, kernelTiming(dot));
  } finally {
    cache.free();
  }
}

function openArena(model: string, bytes: number, shared: boolean): Arena {
  try {
    return new Arena(bytes, shared);
  } catch (error) {
    throw new ModelLoadError(`${model}: this host has no ${Math.ceil(bytes / 2 ** 20)} MiB for a WASM memory`, {
      cause: error,
    });
  }
}
