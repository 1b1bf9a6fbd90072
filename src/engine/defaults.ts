/**
 * Every default of a request, in one table. The API fills requests from it, and `/props` and the OpenAPI description print
 * it. A policy's own parameters have their defaults in the policy's file (`policyDefaults`), an edit's in
 * `sampler/editing/settings.ts`.
 */
import type { ApproximateCacheSettings } from '../sampler/approximate-cache.ts';
import type { PolicyName } from '../sampler/policies/index.ts';
import type { RemaskingSettings } from '../sampler/remasking.ts';

export { policyDefaults } from '../sampler/policies/index.ts';

/** New tokens at most, by endpoint. OpenAI's completions have 16; a hole takes a few lines, an answer a paragraph. */
const maxTokens = { completions: 16, chat: 256, fim: 128, llama: 128 } as const;
type TextEndpoint = keyof typeof maxTokens;

const policy: PolicyName = 'confidence';
/** Steps of remasking: the block length. */
const remasking: Omit<RemaskingSettings, 'steps'> = { strategy: 'cap', sigma: 0.1 };
const approximateCache: ApproximateCacheSettings = { kind: 'prefix', refresh: null };

export const DEFAULTS = {
  maxTokens,
  /** Greedy, where OpenAI's default is 1: a small code model does better without noise. */
  temperature: 0,
  topP: 1,
  /** All. */
  topK: 0,
  /** All. */
  minP: 0,
  /** 1: no penalty. */
  repetitionPenalty: 1,
  /** Tokens that llama.cpp's `repeat_penalty` counts. */
  repeatLastN: 64,
  tokenHealing: true,
  frequencyPenalty: 0,
  presencePenalty: 0,
  /** Tokens in the place of another, where probabilities are asked for. */
  alternatives: 0,
  /** Completions of a prompt. */
  n: 1,
  /** Of a model that was not made for another policy. */
  policy,
  remasking,
  approximateCache,
} as const;

/** @param most the server's limit, which may be lower than the default */
export function defaultMaxTokens(endpoint: TextEndpoint, most: number): number {
  return Math.min(maxTokens[endpoint], most);
}
