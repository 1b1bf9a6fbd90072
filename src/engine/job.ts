/** Every kind of request that an engine takes, and the one shape in which they reach the model. */
import type { ModelConfig } from '../model/config.ts';
import type { CachePrefix } from '../model/model.ts';
import type { Lane } from '../sampler/scheduling/lane.ts';
import type { EditEvent, EditRequest } from './editing/edit-request.ts';
import type { GenerateEvent, GenerateRequest } from './request.ts';

export type EngineRequest = GenerateRequest | EditRequest;
/** The last event of every request is a `done`. */
export type EngineEvent = GenerateEvent | EditEvent;

/** A request that can be served: the memory that it takes, and its work. */
export interface EngineJob {
  /** Room in the KV pool at most, in tokens. */
  readonly tokens: number;
  /** The part of it that the request has from the start; it takes the rest as its text grows. */
  readonly first: number;
  /** Attention of its committed tokens. Absent: the model's. */
  readonly context?: ModelConfig['contextAttention'] | undefined;
  /** What it shares with other requests. Absent: nothing. */
  readonly prefix?: CachePrefix | undefined;
  readonly promptTokens: number;
  /**
   * Works until the last event.
   * @param lane its cache is empty but for what was reused; the caller frees it
   * @throws the signal's reason on abort, within one forward; and whatever the model throws
   */
  run(lane: Lane, signal: AbortSignal): AsyncGenerator<EngineEvent, void, void>;
}
