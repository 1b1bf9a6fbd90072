/** What a runtime (Workers, Node) hands to the API: a name, its limits, and an engine that loads on first use. */
import type { Admitted } from '../engine/admitted.ts';
import type { EngineRequest } from '../engine/job.ts';
import type { RequestQueue } from '../engine/queue.ts';
import type { GenerateRequest } from '../engine/request.ts';
import type { Tokenizer } from '../engine/tokenizer/tokenizer.ts';
import type { ModelConfig } from '../model/config.ts';
import { ModelLoadError } from '../model/errors.ts';
import type { DiffusionModel } from '../model/model.ts';
import type { UnknownFields } from './fields/ignored.ts';

/**
 * A request that holds its room in the KV pool. `run` yields a macrotask at least once a step, so that a disconnect is seen,
 * and ends soon after its signal aborts. `release` may be called twice, and after `run` ended.
 */
export type HeldRequest = Pick<Admitted, 'run' | 'release'>;

/** The part of the engine that the API uses. */
export interface ServedEngine {
  readonly model: Pick<
    DiffusionModel,
    'config' | 'freeTokens' | 'maxTokens' | 'memory' | 'maxAlternatives' | 'runtime' | 'dot'
  >;
  /** How many requests run, may run at once, and wait. */
  readonly queue: Pick<RequestQueue, 'running' | 'concurrency' | 'waiting'>;
  /**
   * Waits for room.
   * @throws RequestError, BusyError, or the signal's reason on abort, before any work
   */
  /** @param client has an equal share of places and memory. Opaque */
  admit(request: EngineRequest, signal: AbortSignal, client: string): Promise<HeldRequest>;
  /** @throws RequestError for what `admit` would refuse for good; waits for nothing and takes nothing */
  check(request: EngineRequest): void;
  /** Cuts `maxTokens` to what the prompt leaves of the context. A prompt that leaves nothing is for `admit` to refuse. */
  fit(request: GenerateRequest): GenerateRequest;
  readonly tokenizer: Tokenizer;
}

/** The settings that the API reads. */
export interface ApiSettings {
  /** The largest `max_tokens` a request may ask for. */
  readonly maxTokens: number;
  readonly bodyLimitBytes: number;
  /** Room in the KV pool at most, in tokens. Absent: as much as the model's context. */
  readonly kvTokens?: number;
  /** What becomes of a field that no endpoint knows. */
  readonly unknownFields: UnknownFields;
}

/** Where the model stands, for `/health`. */
type ModelState =
  | { readonly status: 'loading' }
  | { readonly status: 'ok'; readonly engine: ServedEngine }
  | { readonly status: 'error'; readonly reason: string };

export interface Host {
  /** What the model fixes, as its directory says; null where that cannot be read. Loads no weights. */
  config(): Promise<ModelConfig | null>;
  readonly modelName: string;
  readonly settings: ApiSettings;
  /** Loads at the first call; callers share one load. After a failed load the next call tries again. */
  engine(): Promise<ServedEngine>;
  /** Never waits and never loads. */
  state(): ModelState;
}

export interface HostOptions {
  readonly modelName: string;
  readonly settings: ApiSettings;
  readonly load: () => Promise<ServedEngine>;
  /** Reads what the model fixes without its weights. Absent: it is known once the engine is loaded. */
  readonly readConfig?: () => Promise<ModelConfig>;
}

/** A host whose engine loads once, on first use. A failed load is logged and forgotten. */
export function createHost({ modelName, settings, load, readConfig }: HostOptions): Host {
  let pending: Promise<ServedEngine> | null = null;
  let state: ModelState = { status: 'loading' };

  async function attempt(): Promise<ServedEngine> {
    try {
      const engine = await load();
      state = { status: 'ok', engine };
      return engine;
    } catch (error) {
      pending = null;
      // Other errors' messages may carry paths: those stay in the log.
      state = { status: 'error', reason: error instanceof ModelLoadError ? error.message : 'The model did not load.' };
      console.error(`Model ${modelName} did not load:`, error instanceof ModelLoadError ? error.message : error);
      throw error;
    }
  }

  return {
    modelName,
    settings,
    engine() {
      pending ??= attempt();
      return pending;
    },
    config() {
      if (state.status === 'ok') return Promise.resolve(state.engine.model.config);
      return readConfig?.().catch(() => null) ?? Promise.resolve(null);
    },
    state: () => state,
  };
}
