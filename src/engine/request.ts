/** What the API hands to the engine, and what it gets back. Every field is resolved: no defaults below this line. */
import type { StepEvent } from '../sampler/block-sampler.ts';

export interface Decoding {
  readonly policy: 'confidence' | 'fixed';
  /** confidence: decide every masked position whose probability is above this, at least one per step. */
  readonly threshold: number;
  /** fixed: denoise steps per block. */
  readonly steps: number;
  /** Tokens per block; 1 is the autoregressive mode. */
  readonly blockLength: number;
}

export interface GenerateRequest {
  readonly prompt: string | Int32Array;
  /** New tokens at most, exact. */
  readonly maxTokens: number;
  /** 0 is greedy. */
  readonly temperature: number;
  readonly topP: number;
  readonly topK: number;
  readonly seed: number;
  readonly stop: readonly string[];
  readonly decoding: Decoding;
}

export interface Usage {
  /** The start token that stands in for an empty prompt is not counted. */
  readonly promptTokens: number;
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
  | StepEvent
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
