/** A valid body plus settings plus the loaded model: every default filled, every bound checked. */
import { fillDecoding, ownBlockLength, verifiesByDefault } from '../../engine/decoding.ts';
import { DEFAULTS, defaultMaxTokens } from '../../engine/defaults.ts';
import { fileAroundHole, type LineBreak, withLineFeeds } from '../../engine/generation/line-breaks.ts';
import { contextLimit, requireFits } from '../../engine/generation/prompt-length.ts';
import type { Decoding, GenerateRequest } from '../../engine/request.ts';
import { requireTokenIds } from '../../engine/token-ids.ts';
import { type ModelConfig, predictsNext } from '../../model/config.ts';
import { ApiError } from '../errors.ts';
import type { DecodingFields } from '../fields/decoding.ts';
import { type OnePrompt, promptsOf } from '../fields/prompt.ts';
import type { SamplingFields } from '../fields/sampling.ts';
import type { ApiSettings, ServedEngine } from '../host.ts';
import { resolveSampling } from './resolve-sampling.ts';

/** The fields that any generation has, whatever the endpoint calls them. */
export interface GenerationFields extends SamplingFields {
  /** One: several are several requests. */
  readonly prompt: OnePrompt | OnePrompt[];
  readonly context?: string;
  readonly textKind?: GenerateRequest['textKind'];
  readonly suffix?: string | null | undefined;
  /** Of a file whose texts are in line feeds already. */
  readonly lineBreak?: LineBreak;
  readonly max_tokens?: number | null | undefined;
  readonly stop?: string | string[] | null | undefined;
  readonly decoding?: DecodingFields | null | undefined;
  /** The text of `prediction`, where the endpoint has it. */
  readonly predicted?: string | undefined;
}

/** What some clients send for an empty suffix. */
const NO_SUFFIX = '<|endoftext|>';

/** @throws ApiError for what only the model's shape can tell. */
export function resolveRequest(
  body: GenerationFields,
  model: ServedEngine['model'],
  settings: ApiSettings,
): GenerateRequest {
  const [sent = '', ...others] = promptsOf(body.prompt);
  if (others.length > 0) throw new Error('several prompts are several requests');
  const { prompt, suffix, lineBreak } = fileOf(body, sent);
  const maxTokens = Math.min(
    body.max_tokens ?? defaultMaxTokens('completions', settings.maxTokens),
    settings.maxTokens,
  );
  return {
    kind: 'generate',
    context: withLineFeeds(body.context ?? ''),
    textKind: body.textKind ?? 'prompt',
    prompt: typeof prompt === 'string' ? prompt : idsOf(prompt, maxTokens, model),
    ...(body.predicted !== undefined && { prediction: withLineFeeds(body.predicted) }),
    suffix: suffix || null,
    ...(lineBreak !== undefined && lineBreak !== '\n' && { lineBreak }),
    maxTokens,
    ...resolveSampling(body, model.config),
    stop: typeof body.stop === 'string' ? [body.stop] : (body.stop ?? []),
    logprobs: null,
    timeLimitMs: null,
    decoding: resolveDecoding(body.decoding ?? {}, body.predicted !== undefined, model.config),
    cacheKey: '',
  };
}

/** What the model reads of a file is in line feeds. A raw prompt stays as it is, and a suffix makes it a file, an empty one too. */
function fileOf({ suffix: sent, textKind, lineBreak }: GenerationFields, prompt: OnePrompt) {
  const suffix = sent == null || sent === NO_SUFFIX ? '' : sent;
  if (lineBreak !== undefined || (sent == null && textKind !== 'content')) return { prompt, suffix, lineBreak };
  if (typeof prompt !== 'string') return { ...fileAroundHole('', suffix), prompt };
  const file = fileAroundHole(prompt, suffix);
  return { prompt: file.prefix, suffix: file.suffix, lineBreak: file.lineBreak };
}

/** @param predicted the reader has sent a text to draft from */
function resolveDecoding(fields: DecodingFields, predicted: boolean, config: ModelConfig): Decoding {
  const { policy, block_length, verify, drafts, remasking, approximate_cache, ...parameters } = fields;
  const verified = verify ?? (remasking === undefined && verifiesByDefault(config));
  if (!verified && drafts?.length) throw unchecked('decoding.drafts', config);
  if (!verified && predicted) throw unchecked('prediction', config);
  const own = ownBlockLength(config);
  const filled = fillDecoding({ policy, parameters, blockLength: block_length, verify: verified }, config);
  const { blockLength } = filled;
  const { steps } = parameters;
  if (steps !== undefined && steps > (blockLength ?? own)) {
    const message = `Invalid 'decoding.steps': ${steps} is more than the block length of ${blockLength ?? own}.`;
    throw new ApiError(400, message, 'invalid_value', 'decoding.steps');
  }
  return {
    ...filled,
    ...(drafts && { drafts }),
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

/** A draft that nothing checks would change the text. */
function unchecked(param: string, config: ModelConfig): ApiError {
  const why = predictsNext(config) ? "'decoding' turns 'verify' off" : `${config.name} has no causal context`;
  return new ApiError(
    400,
    `Invalid '${param}': nothing checks drafts here, as ${why}.`,
    'unsupported_parameter',
    param,
  );
}

/** Checked as numbers: an id that does not fit 32 bits would become another one. */
function idsOf(prompt: readonly number[], maxTokens: number, model: ServedEngine['model']): Int32Array {
  // Where there is room for the prompt, the completion is cut to what is left.
  if (prompt.length + Math.min(maxTokens, 1) > contextLimit({ model })) {
    requireFits(prompt.length, maxTokens, { model }, 'prompt');
  }
  requireTokenIds(prompt, model.config, 'prompt');
  return Int32Array.from(prompt);
}

/** The request so many times, each with a seed of its own. */
export function copiesOf(request: GenerateRequest, count: number): GenerateRequest[] {
  return Array.from({ length: count }, (_, j) => ({ ...request, seed: request.seed + j }));
}
