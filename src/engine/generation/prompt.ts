/** Turns a prompt into ids. A prompt may already be ids. */
import type { ModelConfig } from '../../model/config.ts';
import { RequestError } from '../request.ts';
import type { TextKind, Tokenizer } from '../tokenizer/tokenizer.ts';

/**
 * The ids of a prompt, which may be given as ids already.
 * @returns (P), empty for an empty prompt
 * @throws RequestError `invalid_prompt` on an id outside the vocabulary, or on the mask: only the sampler writes masks
 */
export function promptIds(
  prompt: string | Int32Array,
  kind: TextKind,
  tokenizer: Tokenizer,
  config: ModelConfig,
): Int32Array {
  const ids = typeof prompt === 'string' ? tokenizer.encode(prompt, kind) : prompt;
  for (const [index, id] of ids.entries()) {
    if (id < 0 || id >= config.vocabSize) {
      throw invalid(`token ${id} at index ${index} is outside the vocabulary of ${config.vocabSize} tokens.`);
    }
    if (id === config.maskTokenId) throw invalid(`token ${id} at index ${index} is the mask token.`);
  }
  return ids;
}

function invalid(reason: string): RequestError {
  return new RequestError(`Invalid prompt: ${reason}`, 'invalid_prompt', 'prompt');
}
