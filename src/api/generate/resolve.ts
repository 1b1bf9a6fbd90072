/** A valid body plus settings plus the loaded model: every default filled, every bound checked. */
import { DEFAULTS, defaultMaxTokens } from '../../engine/defaults.ts';
import { contextLimit } from '../../engine/generation/prompt-length.ts';
import { type Decoding, type GenerateRequest, MOST_STEPS, resolvePolicy } from '../../engine/request.ts';
import { type ModelConfig, predictsNext } from '../../model/config.ts';
import { ApiError } from '../errors.ts';
import type { DecodingFields } from '../fields/decoding.ts';
import { type OnePrompt, promptsOf } from '../fields/prompt.ts';
import type { SamplingFields } from '../fields/sampling.ts';
import type { ApiSettings, Engine } from '../host.ts';
import { resolveSampling } from './resolve-sampling.ts';

function checkPrompt(prompt: OnePrompt, model: Engine['model']): string | Int32Array {
  if (typeof prompt === 'string') return prompt;
  const most = contextLimit({ model });
  if (prompt.length > most) {
    const message = `The prompt of ${prompt.length} tokens does not fit the context of ${most} tokens.`;
    throw new ApiError(400, message, 'context_length_exceeded', 'prompt');
  }
  const stranger = prompt.find((id) => id >= model.config.vocabSize);
  if (stranger !== undefined) {
    const message = `Invalid 'prompt': token id ${stranger} is outside the vocabulary of ${model.config.vocabSize}.`;
    throw new ApiError(400, message, 'invalid_value', 'prompt');
  }
  return Int32Array.from(prompt);
}

/**
 * What needs no model, so that a bad request never waits for a load.
 * @throws ApiError for more new tokens than this server allows
 */
export function checkMaxTokens(settings: ApiSettings, maxTokens: number | null | undefined, param: string): void {
  if ((maxTokens ?? 1) <= settings.maxTokens) return;
  const message = `Invalid '${param}': this server allows at most ${settings.maxTokens}.`;
  throw new ApiError(400, message, 'invalid_value', param);
}

/** @throws ApiError for more alternatives than the model can name */
export function checkAlternatives(model: Engine['model'], alternatives: number, param: string): void {
  const most = model.maxAlternatives ?? 0;
  if (alternatives <= most) return;
  const message = `Invalid '${param}': this model names at most ${most} tokens in the place of another.`;
  throw new ApiError(400, message, 'unsupported_parameter', param);
}

/** The fields that any generation has, whatever the endpoint calls them. */
export interface GenerationFields extends SamplingFields {
  /** One: several are several requests. */
  readonly prompt: OnePrompt | OnePrompt[];
  readonly context?: string;
  readonly textKind?: GenerateRequest['textKind'];
  readonly suffix?: string | null | undefined;
  readonly max_tokens?: number | null | undefined;
  readonly stop?: string | string[] | null | undefined;
  readonly decoding?: DecodingFields | null | undefined;
}

/** What some clients send for an empty suffix. */
const NO_SUFFIX = '<|endoftext|>';

/** @throws ApiError for what only the model's shape can tell. */
export function resolveRequest(body: GenerationFields, model: Engine['model'], settings: ApiSettings): GenerateRequest {
  const [prompt = '', ...others] = promptsOf(body.prompt);
  if (others.length > 0) throw new Error('several prompts are several requests');
  return {
    context: body.context ?? '',
    textKind: body.textKind ?? 'prompt',
    prompt: checkPrompt(prompt, model),
    suffix: body.suffix && body.suffix !== NO_SUFFIX ? body.suffix : null,
    maxTokens: body.max_tokens ?? defaultMaxTokens('completions', settings.maxTokens),
    ...resolveSampling(body, model.config),
    stop: typeof body.stop === 'string' ? [body.stop] : (body.stop ?? []),
    logprobs: null,
    timeLimitMs: null,
    decoding: resolveDecoding(body.decoding ?? {}, model.config),
    cacheKey: '',
  };
}

function resolveDecoding(fields: DecodingFields, config: ModelConfig): Decoding {
  const { policy, block_length, verify, remasking, approximate_cache, ...parameters } = fields;
  const verified = verify ?? (remasking === undefined && predictsNext(config));
  const own = config.subBlockLength ?? config.blockLength;
  const blockLength = block_length ?? (verified ? null : own);
  const { steps } = parameters;
  if (steps !== undefined && steps > (blockLength ?? own)) {
    const message = `Invalid 'decoding.steps': ${steps} is more than the block length of ${blockLength ?? own}.`;
    throw new ApiError(400, message, 'invalid_value', 'decoding.steps');
  }
  const trained = verified ? null : config.decoding;
  // What a request says without naming a policy is about the default one.
  const spoken = Object.values(parameters).some((value) => value !== undefined);
  const chosen = policy ?? (spoken ? DEFAULTS.policy : (trained?.policy ?? DEFAULTS.policy));
  const defaults = { ...oneAStep(blockLength), ...(trained?.policy === chosen ? ownParameters(trained) : {}) };
  return {
    ...resolvePolicy(chosen, { ...defaults, ...parameters }, verified),
    blockLength,
    verify: verified,
    remasking: remasking
      ? {
          strategy: remasking.strategy ?? DEFAULTS.remasking.strategy,
          sigma: remasking.sigma ?? DEFAULTS.remasking.sigma,
          steps: remasking.steps ?? blockLength ?? own,
        }
      : null,
    approximateCache: approximate_cache
      ? {
          kind: approximate_cache.kind ?? DEFAULTS.approximateCache.kind,
          refresh: approximate_cache.refresh ?? DEFAULTS.approximateCache.refresh,
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
