/** What the API hands to the engine, and what it gets back. Every field is resolved: no defaults below this line. */
import type { StepEvent } from '../sampler/events.ts';
import type { LogitRules } from '../sampler/logit-rules.ts';
import type { PolicySettings } from '../sampler/policies/index.ts';
import type { RemaskingSettings } from '../sampler/remasking.ts';

export type { LogitRules } from '../sampler/logit-rules.ts';
export {
  DEFAULT_POLICY,
  type ParameterName,
  policyNames,
  policyParameters,
  policySummary,
  readersOf,
  resolvePolicy,
} from '../sampler/policies/index.ts';
export { MOST_STEPS } from '../sampler/policies/schedule.ts';

/** The policy with its parameters, and what it is asked about. */
export type Decoding = PolicySettings & {
  /**
   * Tokens per block; 1 is the autoregressive mode. Null: with `verify` as wide as pays on this host, else the model's.
   */
  readonly blockLength: number | null;
  /** Decided ids are drafts that a causal forward has to confirm: the text is that of block length 1. */
  readonly verify: boolean;
  /** Null: what is decided stays. Not with `verify`. */
  readonly remasking: RemaskingSettings | null;
};

export interface GenerateRequest {
  readonly prompt: string | Int32Array;
  /** What follows the text to be written: the prompt is then the prefix of a hole. Null: nothing does. */
  readonly suffix: string | null;
  /** New tokens at most, exact. */
  readonly maxTokens: number;
  /** 0 is greedy. */
  readonly temperature: number;
  readonly topP: number;
  /** 0 keeps all. */
  readonly topK: number;
  readonly seed: number;
  /** Null: logits stay as they are. */
  readonly logitRules: LogitRules | null;
  readonly stop: readonly string[];
  readonly decoding: Decoding;
  /** Opaque: only requests of the same key reuse each other's KV. */
  readonly cacheKey: string;
}

export interface Usage {
  /** The start token that stands in for an empty prompt is not counted. */
  readonly promptTokens: number;
  /** Of those, tokens that did not have to be run: an earlier request began with the same. */
  readonly cachedTokens: number;
  /** Ids before the EOS, or up to the one that completes a stop string. */
  readonly completionTokens: number;
}

/** What a generation cost. */
export interface Cost {
  /** Model forwards after the prefill, commits included. */
  readonly nfe: number;
  /** Positions run through the model after the prefill, all forwards together. */
  readonly positionForwards: number;
  readonly prefillMs: number;
  readonly decodeMs: number;
}

export type EngineEvent =
  /** With the text of each id by itself: bytes that are no character yet become U+FFFD. */
  | (StepEvent & { readonly texts: readonly string[] })
  /** Text that will never change again: several per block, as its first ids are final before its last ones. */
  | { readonly type: 'block'; readonly block: number; readonly text: string }
  | { readonly type: 'done'; readonly finishReason: 'stop' | 'length'; readonly usage: Usage; readonly cost: Cost };

/** The caller's mistake: `code` and `param` are OpenAI's. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
  readonly code: string;
  readonly param: string | null;
  constructor(message: string, code: string, param: string | null) {
    super(message);
    this.code = code;
    this.param = param;
  }
}
