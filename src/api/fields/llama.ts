/** Fields that clients of llama.cpp's server send: those that are honoured, and those that change nothing. */
import { z } from '@hono/zod-openapi';
import { DEFAULTS } from '../../engine/defaults.ts';
import { accepted, neutral } from './text.ts';

const otherSampler = accepted(
  'a sampler that this server does not have. Temperature, top_k and top_p are the ones it has.',
);

/** What llama.cpp's chat and completion share; nobody else's fields have these names. */
export const llamaSamplers = {
  samplers: accepted('the order of samplers is fixed here: temperature, top_k, top_p.'),
  min_p: otherSampler,
  typical_p: otherSampler,
  xtc_probability: otherSampler,
  xtc_threshold: otherSampler,
  dynatemp_range: otherSampler,
  dynatemp_exponent: otherSampler,
  mirostat: neutral((value) => value === 0, '0'),
  mirostat_tau: otherSampler,
  mirostat_eta: otherSampler,
  top_n_sigma: otherSampler,
  dry_multiplier: neutral((value) => value === 0, '0'),
  dry_base: otherSampler,
  dry_allowed_length: otherSampler,
  dry_penalty_last_n: otherSampler,
  dry_sequence_breakers: otherSampler,
  repeat_penalty: neutral((value) => value === 1, '1'),
  repeat_last_n: accepted('there is no repeat penalty.'),
  penalty_last_n: accepted('penalties count the whole completion.'),
  min_keep: otherSampler,
  cache_prompt: accepted('what earlier prompts have left in the cache is always used; it never changes the text.'),
  id_slot: accepted('there are no slots: requests take turns.'),
  timings_per_token: accepted('timings come once, at the end.'),
  t_max_prompt_ms: accepted('a prompt is always run to its end.'),
  lora: accepted('there are no adapters.'),
};

/** Of `/completion` and `/infill` alone. */
export const llamaFields = {
  ...llamaSamplers,
  n_predict: z
    .int()
    .min(-1)
    .nullish()
    .openapi({
      description:
        'New tokens at most; 0 only runs the prompt, so that the next request finds it in the cache; -1 as many as fit. ' +
        `Default ${DEFAULTS.maxTokens.llama}.`,
    }),
  n_cmpl: z
    .int()
    .min(1)
    .max(16)
    .nullish()
    .openapi({ description: 'Completions; with more than one, the body is an array.' }),
  t_max_predict_ms: z.int().min(0).nullish().openapi({
    description:
      'Ends the text when it takes longer than this, counted from the first token, once it has a line break.',
  }),
  n_indent: accepted('indentation is up to the model.'),
  n_keep: accepted('a prompt that does not fit is refused, or for `/infill` cut at its far ends.'),
  n_discard: accepted('nothing of the context is ever dropped while a text is written.'),
  n_probs: neutral((value) => value === 0, '0: `/v1/completions` has `logprobs`'),
  post_sampling_probs: neutral((value) => value === false, 'false'),
  grammar: neutral((value) => value === '', 'none'),
  json_schema: neutral(() => false, 'none'),
  ignore_eos: neutral((value) => value === false, 'false'),
  return_tokens: neutral((value) => value === false, 'false'),
  return_progress: neutral((value) => value === false, 'false'),
  response_fields: accepted('all fields come back.'),
  sse_ping_interval: accepted("the interval is the server's."),
};
