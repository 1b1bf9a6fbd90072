/** `DiffusionModel` on the project's own WASM kernels. Runs everywhere. */
import { Arena, align } from '../kernels/arena.ts';
import { Crew, crewBytes, type Threads } from '../kernels/crew.ts';
import { instantiateModule, type KernelFlavour, type KernelModules, kernelModule } from '../kernels/kernels.ts';
import { MAX_ALTERNATIVES } from './alternatives.ts';
import { gridOrigin, type ModelConfig } from './config.ts';
import { type CostCurve, measureCosts, STORED_X64 } from './cost-curve.ts';
import { type Activations, Decoder } from './decoder.ts';
import { ModelLoadError } from './errors.ts';
import { blockRows, commitRows, range, staleTokens } from './forward-rows.ts';
import { KvPool, PagedKvCache, pageBytes, pageTokensOf } from './kv-cache.ts';
import type {
  AdvanceAsk,
  Advanced,
  CachePrefix,
  CommitAsk,
  DenoiseAsk,
  DiffusionModel,
  KvCache,
  MemoryUse,
  Predictions,
} from './model.ts';
import { emptyPredictions } from './predictions.ts';
import { committedVisible } from './visibility.ts';
import type { WeightSource } from './weight-source.ts';
import { type LoadProgress, loadWeights, panelBytes, readManifest, weightBytes } from './weights.ts';
import { createWorkspace, MAX_ROWS, mostRows, panelScratchBytes, workspaceBytes } from './workspace.ts';

export interface WasmModelOptions {
  readonly kernels: KernelModules;
  readonly flavour?: KernelFlavour;
  readonly activations: Activations;
  /** WASM memory at most, in bytes. What weights and scratch leave becomes the KV pool. */
  readonly memoryBudget: number;
  /** KV tokens at most, all requests together. */
  readonly kvTokens: number;
  /** Keeps the KV of ended requests, while there is room, for others that begin alike. */
  readonly prefixCache: boolean;
  readonly onProgress?: LoadProgress | undefined;
  /** Several threads, where the host has them; then `kernels` are the builds for a shared memory. */
  readonly threads?: Threads | undefined;
}

/** Enough that a timer of 0.1 ms sees them. A divisor of most models' layers. */
const TIMED_LAYERS = 3;

export class WasmModel implements DiffusionModel {
  readonly config: ModelConfig;
  readonly runtime = 'wasm';
  readonly maxForward: number;
  readonly maxAlternatives = MAX_ALTERNATIVES;
  readonly costs: CostCurve;
  readonly memory: MemoryUse;
  /** For parity tests and benches; requests go through commit and denoise. */
  readonly decoder: Decoder;
  private readonly pool: KvPool;
  private readonly crew: Crew | null;

  /** @throws ModelLoadError naming the file, or the budget that the weights do not fit. */
  static async load(source: WeightSource, config: ModelConfig, options: WasmModelOptions): Promise<WasmModel> {
    const manifest = await readManifest(source);
    const weights = weightBytes(manifest);
    const pageTokens = pageTokensOf(config);
    const page = pageBytes(config, pageTokens);
    const { threads } = options;
    const own = align(panelBytes(manifest)) + (threads ? crewBytes(threads.count, panelScratchBytes(config)) : 0);
    const scratch = (pages: number) => workspaceBytes(config, pages * pageTokens, pageTokens) + own;
    let pages = Math.ceil(options.kvTokens / pageTokens);
    const bytes = () => weights + scratch(pages) + align(pages * page);
    while (pages > 0 && bytes() > options.memoryBudget) pages--;
    if (pages === 0) {
      throw new ModelLoadError(
        `${config.name}: weights of ${weights} bytes and ${scratch(1)} of scratch do not fit ` +
          `the memory budget of ${options.memoryBudget} bytes`,
      );
    }
    const arena = openArena(config.name, bytes(), threads !== undefined);
    const module = kernelModule(options.kernels, options.flavour);
    const kernels = instantiateModule(module, arena.memory);
    const kv = arena.take(pages * page);
    const panel = arena.take(panelBytes(manifest));
    const tensors = await loadWeights(source, manifest, arena, kernels, panel, options.onProgress);
    const workspace = createWorkspace(arena, config, pages * pageTokens, pageTokens);
    // Last, so that a load that fails leaves no thread behind.
    const scratchBytes = panelScratchBytes(config);
    const crew = threads && (await Crew.start(threads, arena, module, kernels, workspace.panel, scratchBytes));
    const decoder = new Decoder(config, kernels, arena, workspace, tensors, options.activations, crew);
    const memory = {
      weights,
      kvPool: pages * page,
      scratch: arena.memory.buffer.byteLength - weights - pages * page,
      total: arena.memory.buffer.byteLength,
    };
    // Blocks that are counted from a prompt's end do not line up with pages.
    const aligned = config.contextAttention !== 'block_causal' || config.grid === 'zero';
    const context = options.prefixCache && aligned ? config.contextAttention : null;
    const pool = new KvPool(kv, pages, page, pageTokens, context);
    return new WasmModel(config, decoder, pool, memory, crew ?? null);
  }

  private constructor(config: ModelConfig, decoder: Decoder, pool: KvPool, memory: MemoryUse, crew: Crew | null) {
    this.crew = crew;
    this.config = config;
    this.decoder = decoder;
    this.pool = pool;
    this.memory = memory;
    this.maxForward = mostRows(config, pool.maxTokens);
    this.costs = this.measure();
  }

  /** Times a few layers on pages that no request has yet. */
  private measure(): CostCurve {
    const most = Math.min(MAX_ROWS, this.pool.maxTokens);
    const cache = this.pool.create(most);
    const { pageTokens } = this.pool;
    // Each run takes the layers after the last one's: a real forward finds their weights in memory, not in the cache.
    let top = 0;
    const forward = (rows: number) => {
      const visible = Int32Array.from({ length: rows }, (_, i) => i + 1);
      const bottom = Math.min(top + TIMED_LAYERS, this.config.numLayers);
      this.decoder.forward(new Int32Array(rows), 0, visible, cache.pages, pageTokens, 0, top, bottom);
      top = bottom % this.config.numLayers;
    };
    try {
      return measureCosts(forward, most, STORED_X64);
    } finally {
      cache.free();
    }
  }

  /** Ends the threads, if there are any; then the model can run no more. */
  async close(): Promise<void> {
    await this.crew?.close();
  }

  get freeTokens(): number {
    return this.pool.freeTokens;
  }

  get maxTokens(): number {
    return this.pool.maxTokens;
  }

  createCache(maxTokens: number, prefix?: CachePrefix): KvCache {
    return this.pool.create(maxTokens, prefix, gridOrigin(this.config, prefix?.ids.length ?? 0));
  }

  async commit(ids: Int32Array, cache: KvCache, ask: CommitAsk): Promise<Predictions> {
    const paged = own(cache);
    paged.requireRoom(ids.length);
    const predictions = emptyPredictions(ask.rows === 'all' ? ids.length : 1, ask, this.config);
    for (let from = 0; from < ids.length; ) {
      const { length, origin } = paged;
      const rows = commitRows(this.config, length - origin, ids.length - from);
      const end = length + ids.length - from;
      const visible = Int32Array.from({ length: rows }, (_, i) =>
        committedVisible(this.config, length + i, end, origin),
      );
      const wanted = ask.rows === 'all' ? 0 : rows - 1;
      const input = ids.subarray(from, from + rows);
      this.decoder.forward(input, paged.length, visible, paged.pages, this.pool.pageTokens, wanted);
      paged.advance(input);
      if (ask.rows === 'all') this.decoder.predict(range(0, rows), ask, predictions, from);
      from += rows;
      if (ask.rows === 'last' && from === ids.length) this.decoder.predict(range(wanted, rows), ask, predictions, 0);
    }
    return predictions;
  }

  async denoise(ids: Int32Array, cache: KvCache, ask: DenoiseAsk): Promise<Predictions> {
    const paged = own(cache);
    const { keep, ahead } = staleTokens(this.config, ids.length, ask);
    paged.requireRoom(ids.length + ahead);
    const rows = blockRows(this.config, this.maxForward, ids.length, ask.positions, 0);
    const predictions = emptyPredictions(rows.length, ask, this.config);
    // Written past the cache's length: the next forward overwrites it, so nothing of the draft is kept.
    const visible = new Int32Array(ids.length).fill(paged.length + ids.length + ahead);
    this.decoder.forward(ids, paged.length, visible, paged.pages, this.pool.pageTokens, rows[0] ?? ids.length - 1);
    if (keep > 0) paged.keep(ids.subarray(0, keep));
    this.decoder.predict(rows, ask, predictions, 0);
    return predictions;
  }

  async advance(ids: Int32Array, block: Int32Array, cache: KvCache, ask: AdvanceAsk): Promise<Advanced> {
    const paged = own(cache);
    const clean = ids.length;
    const input = Int32Array.of(...ids, ...block);
    paged.requireRoom(input.length);
    const rows = blockRows(this.config, this.maxForward, input.length, ask.positions, clean);
    const first = ask.rows === 'all' ? 0 : clean - 1;
    const committed = emptyPredictions(clean - first, ask, this.config);
    const { alternatives } = ask;
    const blockAsk = { sampling: ask.blockSampling, targets: ask.blockTargets, alternatives };
    const drafted = emptyPredictions(rows.length, blockAsk, this.config);
    const end = paged.length + clean;
    const visible = input.map((_, i) =>
      i < clean ? committedVisible(this.config, paged.length + i, end, paged.origin) : paged.length + input.length,
    );
    this.decoder.forward(input, paged.length, visible, paged.pages, this.pool.pageTokens, first);
    paged.advance(ids);
    this.decoder.predict(range(first, clean), ask, committed, 0);
    this.decoder.predict(rows, blockAsk, drafted, 0);
    return { committed, block: drafted };
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

function own(cache: KvCache): PagedKvCache {
  if (cache instanceof PagedKvCache) return cache;
  throw new TypeError('this cache was made by another model');
}
