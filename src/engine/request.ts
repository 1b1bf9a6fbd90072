/** What the API hands to the engine, and what it gets back. Every field is resolved: no defaults below this line. */

import type { ApproximateCacheSettings } from '../sampler/approximate-cache.ts';
import type { DraftCounts } from '../sampler/drafts/counts.ts';
import type { DraftSource } from '../sampler/drafts/drafter.ts';
import type { StepEvent } from '../sampler/events.ts';
import type { LogitRules } from '../sampler/logit-rules.ts';
import type { PolicySettings } from '../sampler/policies/index.ts';
import type { RemaskingSettings } from '../sampler/remasking.ts';
import type { LineBreak } from './generation/line-breaks.ts';
import type { TextKind } from './tokenizer/tokenizer.ts';

export { DRAFT_SOURCES } from '../sampler/drafts/drafter.ts';
export type { LogitRules } from '../sampler/logit-rules.ts';
export {
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
  /**
   * Where drafts are from, only with `verify`: as many as pay on this host, windows of masks of `blockLength` at most.
   * Absent: masks alone, in windows of `blockLength`, or from everywhere where that is null.
   */
  readonly drafts?: readonly DraftSource[] | undefined;
  /** Null: what is decided stays. Not with `verify`. */
  readonly remasking: RemaskingSettings | null;
  /** Null: every forward runs the whole canvas. Only under `full` context, where nothing else is exact. */
  readonly approximateCache: ApproximateCacheSettings | null;
};

export interface GenerateRequest {
  readonly kind: 'generate';
  /** Other files, before the one that the prompt is from. */
  readonly context: string;
  readonly prompt: string | Int32Array;
  /** What a prompt that is text may hold, where no hole says so: `content` in the routes that fill holes, a chat's `frame`. */
  readonly textKind: TextKind;
  /** A prompt that is text may end inside a token: what is written then begins with its last one. */
  readonly tokenHealing: boolean;
  /** What the text is expected to be, in whole or in parts. It never changes the text. Absent: nothing is expected. */
  readonly prediction?: string | undefined;
  /** What follows the text to be written: the prompt is then the prefix of a hole. Null: nothing does. */
  readonly suffix: string | null;
  /**
   * What the file's line breaks are written as, where they are no line feeds; those of the texts here are. Absent: line feeds
   * in a file, and in a raw prompt as the model writes them.
   */
  readonly lineBreak?: LineBreak;
  /** New tokens at most, exact; 0 only runs the prompt. */
  readonly maxTokens: number;
  /** 0 is greedy. */
  readonly temperature: number;
  readonly topP: number;
  /** 0 keeps all. */
  readonly topK: number;
  /** Least share of the best id's probability; 0 keeps all. */
  readonly minP: number;
  readonly seed: number;
  /** Null: logits stay as they are. */
  readonly logitRules: LogitRules | null;
  readonly stop: readonly string[];
  /** What the events say of single tokens. Null: nothing. */
  readonly logprobs: LogprobsAsk | null;
  /** Ms after the first id, from which on the text ends at the next chance, if it has a line break. Null: no limit. */
  readonly timeLimitMs: number | null;
  readonly decoding: Decoding;
  /** Opaque: only requests of the same key reuse each other's KV. */
  readonly cacheKey: string;
}

interface LogprobsAsk {
  /** Most probable ids of each position beside the chosen one; at most the model's `maxAlternatives`. */
  readonly alternatives: number;
  /** Of the prompt too: then nothing of it is reused. */
  readonly prompt: boolean;
}

/** A token of a text, and how probable the model found it, whatever the temperature. */
export interface TextToken {
  /** UTF-8, possibly a part of a character; empty for a special token. */
  readonly bytes: Uint8Array;
  /** Code points of the text before it. */
  readonly offset: number;
  /**
   * With `verify`: given the tokens before it. Otherwise given all that was decided when it was. Null: nothing stands
   * before it.
   */
  readonly prob: number | null;
  /** The most probable tokens in its place, best first. */
  readonly alternatives: readonly { readonly bytes: Uint8Array; readonly prob: number }[];
}

interface Usage {
  /** All that were sent. The start token that stands in for an empty prompt is not counted. */
  readonly promptTokens: number;
  /** Tokens of the prompt that were not run again: an earlier request began with the same. */
  readonly cachedTokens: number;
  /** Ids before the EOS, or up to the one that completes a stop string. */
  readonly completionTokens: number;
  /** Absent where no text was predicted. */
  readonly prediction?: PredictionUsage;
}

/** Tokens of a predicted text. */
interface PredictionUsage {
  /** That stand in the completion. */
  readonly accepted: number;
  /** The others. */
  readonly rejected: number;
}

/** What a request cost. */
export interface Cost {
  /** Model forwards after the prefill, commits included. */
  readonly nfe: number;
  /** Positions run through the model after the prefill, all forwards together. */
  readonly positionForwards: number;
  /** Drafts that were checked, by source; only sources that had one. */
  readonly drafts: DraftCounts['all'];
  /** Spent in the engine, not in its consumer; 0 where the clock stands still during computation (deployed Workers). */
  readonly prefillMs: number;
  /** The same after the prefill; of an edit, all of its time. */
  readonly decodeMs: number;
}

/** With the text of each id by itself: bytes that are no character yet become U+FFFD. */
export type EngineStep = StepEvent & { readonly texts: readonly string[] };

/** Before all others, where the prompt's tokens were asked for. */
export interface PromptEvent {
  readonly type: 'prompt';
  readonly text: string;
  readonly tokens: readonly TextToken[];
}

/** Text that will never change again: several per block, as its first ids are final before its last ones. */
export interface BlockEvent {
  readonly type: 'block';
  readonly block: number;
  readonly text: string;
  /** That begin in the text so far, each in one event; empty unless asked for. */
  readonly tokens: readonly TextToken[];
}

/** The last one. */
export interface DoneEvent {
  readonly type: 'done';
  readonly finishReason: 'stop' | 'length';
  /** The one that ended the text; null for an EOS or a limit. */
  readonly stopString: string | null;
  readonly usage: Usage;
  readonly cost: Cost;
}

export type GenerateEvent = EngineStep | PromptEvent | BlockEvent | DoneEvent;

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
