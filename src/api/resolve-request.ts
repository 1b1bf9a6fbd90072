/** A valid body plus settings plus the loaded model: every default filled, every bound checked. */
import { DEFAULT_POLICY, type Decoding, type GenerateRequest, MOST_STEPS, resolvePolicy } from '../engine/request.ts';
import { type ModelConfig, predictsNext } from '../model/config.ts';
import type { DecodingFields } from './decoding-schema.ts';
import { ApiError } from './errors.ts';
import type { ApiSettings, Engine } from './host.ts';
import { resolveSampling } from './resolve-sampling.ts';
import type { CompletionRequest } from './schemas.ts';

const DEFAULT_MAX_TOKENS = 16;

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
  return {
    prompt: checkPrompt(body.prompt, model),
    suffix: body.suffix ? body.suffix : null,
    maxTokens: body.max_tokens ?? Math.min(DEFAULT_MAX_TOKENS, settings.maxTokens),
    ...resolveSampling(body, model.config),
    stop: typeof body.stop === 'string' ? [body.stop] : (body.stop ?? []),
    decoding: resolveDecoding(body.decoding ?? {}, model.config),
    cacheKey: '',
  };
}

/** Drafts are checked, so they may be bold; what is final at once may not. */
const DRAFT_THRESHOLD = 0.3;

function resolveDecoding(fields: DecodingFields, config: ModelConfig): Decoding {
  const { policy, block_length, verify, remasking, ...parameters } = fields;
  const verified = verify ?? (remasking === undefined && predictsNext(config));
  const own = config.subBlockLength ?? config.blockLength;
  const blockLength = block_length ?? (verified ? null : own);
  const { steps, threshold } = parameters;
  if (steps !== undefined && steps > (blockLength ?? own)) {
    const message = `Invalid 'decoding.steps': ${steps} is more than the block length of ${blockLength ?? own}.`;
    throw new ApiError(400, message, 'invalid_value', 'decoding.steps');
  }
  const trained = verified ? null : config.decoding;
  // What a request says without naming a policy is about the default one.
  const spoken = Object.values(parameters).some((value) => value !== undefined);
  const chosen = policy ?? (spoken ? DEFAULT_POLICY : (trained?.policy ?? DEFAULT_POLICY));
  const defaults = { ...oneAStep(blockLength), ...(trained?.policy === chosen ? ownParameters(trained) : {}) };
  const given = verified && threshold === undefined ? { ...parameters, threshold: DRAFT_THRESHOLD } : parameters;
  return {
    ...resolvePolicy(chosen, { ...defaults, ...given }),
    blockLength,
    verify: verified,
    remasking: remasking
      ? {
          strategy: remasking.strategy ?? 'cap',
          sigma: remasking.sigma ?? 0.1,
          steps: remasking.steps ?? blockLength ?? own,
        }
      : null,
  };
}

/** A whole canvas can be longer than the steps that a policy takes by default. */
function oneAStep(blockLength: number | null): { readonly steps?: number } {
  return blockLength !== null && blockLength > MOST_STEPS ? { steps: blockLength } : {};
}

/** Without a number of steps it is one position a step. */
function ownParameters(trained: NonNullable<ModelConfig['decoding']>) {
  if (trained.policy === 'confidence') return { threshold: trained.threshold, inclusive: trained.inclusive };
  const { schedule, ranking, steps } = trained;
  return { schedule, ranking, ...(steps === null ? {} : { steps }) };
}
