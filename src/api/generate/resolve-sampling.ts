/** Valid sampling fields plus the model's vocabulary: every default filled, every id checked. */
import { DEFAULTS } from '../../engine/defaults.ts';
import type { GenerateRequest, LogitRules } from '../../engine/request.ts';
import { requireTokenIds } from '../../engine/token-ids.ts';
import type { ModelConfig } from '../../model/config.ts';
import type { SamplingFields } from '../fields/sampling.ts';

type Resolved = Pick<
  GenerateRequest,
  'temperature' | 'topP' | 'topK' | 'minP' | 'seed' | 'tokenHealing' | 'logitRules'
>;
type Vocabulary = Pick<ModelConfig, 'vocabSize' | 'maskTokenId'>;

/** @throws RequestError for a bias of an id that is no answer of this model */
export function resolveSampling(body: SamplingFields, vocabulary: Vocabulary): Resolved {
  const topK = body.top_k ?? DEFAULTS.topK;
  return {
    temperature: body.temperature ?? DEFAULTS.temperature,
    topP: body.top_p ?? DEFAULTS.topP,
    topK: topK < vocabulary.vocabSize ? topK : DEFAULTS.topK,
    minP: body.min_p ?? DEFAULTS.minP,
    seed: body.seed ?? body.random_seed ?? crypto.getRandomValues(new Uint32Array(1))[0]!,
    tokenHealing: body.token_healing ?? DEFAULTS.tokenHealing,
    logitRules: resolveRules(body, vocabulary),
  };
}

/** Null when no logit would move. */
function resolveRules(body: SamplingFields, vocabulary: Vocabulary): LogitRules | null {
  const logitBias = new Map<number, number>();
  const biases = Object.entries(body.logit_bias ?? {});
  requireTokenIds(
    biases.map(([id]) => Number(id)),
    vocabulary,
    'logit_bias',
  );
  for (const [id, bias] of biases) if (bias !== 0) logitBias.set(Number(id), bias);
  const frequencyPenalty = body.frequency_penalty ?? DEFAULTS.frequencyPenalty;
  const presencePenalty = body.presence_penalty ?? DEFAULTS.presencePenalty;
  const repetition = resolveRepetition(body);
  const neutral = frequencyPenalty === 0 && presencePenalty === 0 && logitBias.size === 0 && !repetition;
  return neutral ? null : { frequencyPenalty, presencePenalty, logitBias, ...(repetition && { repetition }) };
}

/** Null for a penalty of 1, or for a window of nothing. */
function resolveRepetition({ repetition_penalty, repeat_penalty, repeat_last_n }: SamplingFields) {
  const penalty = repeat_penalty ?? repetition_penalty ?? DEFAULTS.repetitionPenalty;
  const window = repeat_last_n ?? (repetition_penalty == null ? DEFAULTS.repeatLastN : -1);
  if (penalty === 1 || window === 0) return null;
  return { penalty, window: window === -1 ? Number.POSITIVE_INFINITY : window };
}
