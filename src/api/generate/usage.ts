/** Sums the tokens and costs of all completions of a request. */
import { type DoneEvent, DRAFT_SOURCES } from '../../engine/request.ts';

/** @param perPrompt completions of each prompt, which counts once */
export function usageOf(dones: readonly DoneEvent[], perPrompt = 1) {
  const first = dones.filter((_, index) => index % perPrompt === 0);
  const prompt_tokens = sum(first, ({ usage }) => usage.promptTokens);
  const completion_tokens = sum(dones, ({ usage }) => usage.completionTokens);
  return {
    prompt_tokens,
    completion_tokens,
    total_tokens: prompt_tokens + completion_tokens,
    prompt_tokens_details: { cached_tokens: sum(first, ({ usage }) => usage.cachedTokens) },
    ...predictionDetails(dones.flatMap(({ usage }) => usage.prediction ?? [])),
  };
}

/** OpenAI's counts of a prediction, for all completions; nothing where nothing was predicted. */
function predictionDetails(predictions: readonly { readonly accepted: number; readonly rejected: number }[]) {
  if (predictions.length === 0) return {};
  return {
    completion_tokens_details: {
      accepted_prediction_tokens: predictions.reduce((total, { accepted }) => total + accepted, 0),
      rejected_prediction_tokens: predictions.reduce((total, { rejected }) => total + rejected, 0),
    },
  };
}

/** Of all completions, by source; nothing where nothing was drafted. */
function draftsOf(dones: readonly DoneEvent[]) {
  const counted = DRAFT_SOURCES.flatMap((source) => {
    const counts = dones.flatMap(({ cost }) => cost.drafts[source] ?? []);
    if (counts.length === 0) return [];
    const offered = counts.reduce((total, count) => total + count.offered, 0);
    const held = counts.reduce((total, count) => total + count.held, 0);
    return [[source, { offered, held }]];
  });
  return counted.length === 0 ? {} : { drafts: Object.fromEntries(counted) };
}

export function generationCost(dones: readonly DoneEvent[], seed: number) {
  const tokens = sum(dones, ({ usage }) => usage.completionTokens);
  const nfe = sum(dones, ({ cost }) => cost.nfe);
  const position_forwards = sum(dones, ({ cost }) => cost.positionForwards);
  return {
    nfe,
    tokens_per_forward: ratio(tokens, nfe),
    position_forwards,
    position_forwards_per_token: ratio(position_forwards, tokens),
    ...draftsOf(dones),
    prefill_ms: sum(dones, ({ cost }) => cost.prefillMs),
    decode_ms: sum(dones, ({ cost }) => cost.decodeMs),
    seed,
  };
}

function sum(dones: readonly DoneEvent[], value: (done: DoneEvent) => number): number {
  return dones.reduce((total, done) => total + value(done), 0);
}

/** 0 where there is nothing to divide by. */
export function ratio(numerator: number, denominator: number): number {
  return denominator === 0 ? 0 : numerator / denominator;
}
