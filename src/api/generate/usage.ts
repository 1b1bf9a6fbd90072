/** Sums the tokens and costs of all completions of a request. */
import type { DoneEvent } from '../../engine/request.ts';

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
  };
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
