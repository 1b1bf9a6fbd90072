/** A valid body plus settings plus the loaded model: every default filled, every bound checked. */
import type { GenerateRequest } from '../engine/request.ts';
import { ApiError } from './errors.ts';
import type { ApiSettings, Engine } from './host.ts';
import type { CompletionRequest } from './schemas.ts';

const DEFAULT_MAX_TOKENS = 16;
const DEFAULT_THRESHOLD = 0.9;

/** No real text averages this many bytes a token: a prompt past it cannot fit, so it is never tokenized. */
const MOST_BYTES_PER_TOKEN = 64;

function checkPrompt(prompt: string | number[], model: Engine['model']): string | Int32Array {
  const most = Math.min(model.config.contextLength, model.maxTokens);
  if (typeof prompt === 'string') {
    const bytes = new TextEncoder().encode(prompt).length;
    if (bytes > most * MOST_BYTES_PER_TOKEN) throw tooLong(`${bytes} bytes`, most);
    return prompt;
  }
  if (prompt.length > most) throw tooLong(`${prompt.length} tokens`, most);
  const stranger = prompt.find((id) => id >= model.config.vocabSize);
  if (stranger !== undefined) {
    const message = `Invalid 'prompt': token id ${stranger} is outside the vocabulary of ${model.config.vocabSize}.`;
    throw new ApiError(400, message, 'invalid_value', 'prompt');
  }
  return Int32Array.from(prompt);
}

function tooLong(size: string, most: number): ApiError {
  const message = `The prompt of ${size} does not fit the context of ${most} tokens.`;
  return new ApiError(400, message, 'context_length_exceeded', 'prompt');
}

/** What needs no model, so that a bad request never waits for a load. */
export function checkLimits(body: CompletionRequest, settings: ApiSettings): void {
  if ((body.max_tokens ?? 1) <= settings.maxTokens) return;
  const message = `Invalid 'max_tokens': this server allows at most ${settings.maxTokens}.`;
  throw new ApiError(400, message, 'invalid_value', 'max_tokens');
}

/** @throws ApiError for what only the model's shape can tell. */
export function resolveRequest(
  body: CompletionRequest,
  model: Engine['model'],
  settings: ApiSettings,
): GenerateRequest {
  const { policy, threshold, steps, block_length } = body.decoding ?? {};
  const blockLength = block_length ?? model.config.blockLength;
  if (steps !== undefined && steps > blockLength) {
    const message = `Invalid 'decoding.steps': ${steps} is more than the block length of ${blockLength}.`;
    throw new ApiError(400, message, 'invalid_value', 'decoding.steps');
  }
  return {
    prompt: checkPrompt(body.prompt, model),
    maxTokens: body.max_tokens ?? Math.min(DEFAULT_MAX_TOKENS, settings.maxTokens),
    temperature: body.temperature ?? 0,
    topP: body.top_p ?? 1,
    topK: 0,
    seed: body.seed ?? crypto.getRandomValues(new Uint32Array(1))[0] ?? 0,
    stop: typeof body.stop === 'string' ? [body.stop] : (body.stop ?? []),
    decoding: {
      policy: policy ?? 'confidence',
      threshold: threshold ?? DEFAULT_THRESHOLD,
      steps: steps ?? blockLength,
      blockLength,
    },
  };
}
