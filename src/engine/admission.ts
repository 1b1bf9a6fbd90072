/** How much room a request needs in the KV pool, and how it takes that room. */
import { OutOfMemoryError } from '../model/errors.ts';
import type { DiffusionModel, KvCache } from '../model/model.ts';
import { requireFits } from './generation/prompt-length.ts';
import type { EngineJob } from './job.ts';
import { type GenerateRequest, RequestError } from './request.ts';

/**
 * Room that a request needs, or why it can never be served.
 * @param promptTokens tokens that have to be committed first, at least 1
 * @returns tokens of the prompt and `maxTokens` more
 * @throws RequestError `context_length_exceeded` when they could never fit, `invalid_value` for a limit that is not a
 *   whole number of 1 or more
 */
export function tokensNeeded(model: DiffusionModel, request: GenerateRequest, promptTokens: number): number {
  const { maxTokens, decoding } = request;
  if (maxTokens !== 0) requirePositive(maxTokens, 'max_tokens');
  if (decoding.blockLength !== null) requirePositive(decoding.blockLength, 'decoding.block_length');
  if ('steps' in decoding) requirePositive(decoding.steps, 'decoding.steps');
  requireFits(promptTokens, maxTokens, { model }, 'prompt');
  return promptTokens + maxTokens;
}

/** @returns null when the pool has no room now. The caller frees the cache. */
export function createCacheIfRoom(
  model: DiffusionModel,
  { tokens, prefix, first, context }: Pick<EngineJob, 'tokens' | 'prefix' | 'first' | 'context'>,
): KvCache | null {
  try {
    return model.createCache(tokens, prefix, first, context);
  } catch (error) {
    if (error instanceof OutOfMemoryError && error.retryable) return null;
    throw error;
  }
}

function requirePositive(value: number, param: string): void {
  if (Number.isSafeInteger(value) && value > 0) return;
  throw new RequestError(`'${param}' must be a whole number of 1 or more, not ${value}.`, 'invalid_value', param);
}
