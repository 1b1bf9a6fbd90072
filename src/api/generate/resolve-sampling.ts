/** Valid sampling fields plus the model's vocabulary: every default filled, every id checked. */
import { DEFAULTS } from '../../engine/defaults.ts';
import type { GenerateRequest, LogitRules } from '../../engine/request.ts';
import type { ModelConfig } from '../../model/config.ts';
import { ApiError } from '../errors.ts';
import type { SamplingFields } from '../fields/sampling.ts';

type Resolved = Pick<GenerateRequest, 'temperature' | 'topP' | 'topK' | 'seed' | 'tokenHealing' | 'logitRules'>;
type Vocabulary = Pick<ModelConfig, 'vocabSize' | 'maskTokenId'>;

/** @throws ApiError for a bias of an id that is no answer of this model */
export function resolveSampling(body: SamplingFields, vocabulary: Vocabulary): Resolved {
  const topK = body.top_k ?? DEFAULTS.topK;
  return {
    temperature: body.temperature ?? DEFAULTS.temperature,
    topP: body.top_p ?? DEFAULTS.topP,
    topK: topK < vocabulary.vocabSize ? topK : DEFAULTS.topK,
    seed: body.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]!,
    tokenHealing: body.token_healing ?? DEFAULTS.tokenHealing,
    logitRules: resolveRules(body, vocabulary),
  };
}

/** Null when no logit would move. */
function resolveRules(body: SamplingFields, { vocabSize, maskTokenId }: Vocabulary): LogitRules | null {
  const logitBias = new Map<number, number>();
  for (const [name, bias] of Object.entries(body.logit_bias ?? {})) {
    const id = Number(name);
    if (id >= vocabSize) throw refuse(`token id ${id} is outside the vocabulary of ${vocabSize}`);
    if (id === maskTokenId) throw refuse(`token id ${id} is the mask, which is never an answer`);
    if (bias !== 0) logitBias.set(id, bias);
  }
  const frequencyPenalty = body.frequency_penalty ?? DEFAULTS.frequencyPenalty;
  const presencePenalty = body.presence_penalty ?? DEFAULTS.presencePenalty;
  const neutral = frequencyPenalty === 0 && presencePenalty === 0 && logitBias.size === 0;
  return neutral ? null : { frequencyPenalty, presencePenalty, logitBias };
}

function refuse(why: string): ApiError {
  return new ApiError(400, `Invalid 'logit_bias': ${why}.`, 'invalid_value', 'logit_bias');
}
