import type { DiffusionModel, KvCache } from '../model/model.ts';
import { type GenerateRequest, RequestError } from './request.ts';

/**
 * Makes room for a request, or refuses it before any work.
 * @param promptTokens tokens that the prefill will commit, at least 1
 * @returns a cache for the prompt and `maxTokens` more; the caller frees it
 * @throws RequestError `context_length_exceeded` when it could never fit, `invalid_value` for a limit that is not a
 *   whole number of 1 or more
 * @throws OutOfMemoryError when the pool has no room now
 */
export function admit(model: DiffusionModel, request: GenerateRequest, promptTokens: number): KvCache {
  const { maxTokens, decoding } = request;
  requirePositive(maxTokens, 'max_tokens');
  requirePositive(decoding.blockLength, 'decoding.block_length');
  requirePositive(decoding.steps, 'decoding.steps');
  const limit = Math.min(model.config.contextLength, model.maxTokens);
  const needed = promptTokens + maxTokens;
  if (needed > limit) {
    throw new RequestError(
      `This model's maximum context length is ${limit} tokens. However, you requested ${needed} tokens ` +
        `(${promptTokens} in the prompt, ${maxTokens} in the completion). ` +
        'Please reduce the length of the prompt or completion.',
      'context_length_exceeded',
      'prompt',
    );
  }
  return model.createCache(needed);
}

function requirePositive(value: number, param: string): void {
  if (Number.isSafeInteger(value) && value > 0) return;
  throw new RequestError(`'${param}' must be a whole number of 1 or more, not ${value}.`, 'invalid_value', param);
}
