/**
 * Fields that clients of OpenAI, Mistral, vLLM, SGLang, llama.cpp and Hugging Face's servers send, the same on every route
 * that generates. A field that cannot change the text is accepted. A field that would change it passes only with a value
 * that asks for nothing. A route puts its own fields after these.
 */
import { accepted, neutral, text } from './text.ts';

const noted = accepted('it changes nothing in the text.');
const listed = accepted('prompts are matched by their tokens, for each key by itself.');
const unused = accepted('it belongs to a sampler that is off.');
const isEmpty = (value: unknown) => typeof value === 'object' && value !== null && Object.keys(value).length === 0;
const never = () => false;
const equals =
  (...values: readonly unknown[]) =>
  (value: unknown) =>
    values.includes(value);
const nothing = neutral(never, 'null');
const off = neutral(equals(false), 'false');
const empty = neutral(isEmpty, 'nothing');
const zero = neutral(equals(0), '0');
const one = neutral(equals(1), '1');
const noTool = neutral(equals('none', 'auto'), "'none' or 'auto', as there are no tools");

/** They say who asks, how it is billed, kept and routed, or how an answer is spoken about. */
const accounting = {
  user: text.nullish().openapi({ description: 'Accepted and ignored on purpose.' }),
  metadata: noted,
  store: noted,
  service_tier: noted,
  safety_identifier: noted,
  moderation: noted,
  prompt_cache_key: listed,
  prompt_cache_retention: listed,
  prompt_cache_options: listed,
  cache_salt: listed,
  cache_prompt: accepted('what earlier prompts have left in the cache is always used; it never changes the text.'),
  request_id: accepted('the header `x-request-id` names a request.'),
  id_slot: accepted('there are no slots: requests take turns.'),
  timings_per_token: accepted('timings come once, at the end.'),
  t_max_prompt_ms: accepted('a prompt is always run to its end.'),
  lora: empty,
  priority: accepted('requests are served in the order of their arrival.'),
  nextEdit: accepted("Continue's note to Mercury; next edits have `/v1/edit/completions`."),
  stream_options: accepted('streams of this route have one form.'),
};

/** They steer a model that thinks before it answers, or one that talks much. */
const thinking = {
  reasoning_effort: text.nullish().openapi({
    description: 'Handed to the chat template, where the route has one. Accepted without effect elsewhere.',
  }),
  reasoning: noted,
  reasoning_format: noted,
  include_reasoning: noted,
  separate_reasoning: noted,
  verbosity: noted,
  chat_template_kwargs: accepted('this route has no chat template.'),
};

/** Tools, forms of an answer, and other kinds of content: none of them is here. */
const forms = {
  tools: empty,
  tool_choice: noTool,
  parallel_tool_calls: accepted('there are no tools.'),
  functions: empty,
  function_call: noTool,
  response_format: neutral(isText, '{"type": "text"}'),
  json_schema: empty,
  grammar: neutral(equals(''), 'none'),
  guided_json: nothing,
  guided_regex: nothing,
  guided_choice: nothing,
  guided_grammar: nothing,
  structured_outputs: empty,
  regex: nothing,
  ebnf: nothing,
  modalities: neutral((value) => Array.isArray(value) && value.every(equals('text')), '["text"]'),
  audio: nothing,
  prediction: nothing,
  web_search_options: nothing,
  documents: empty,
  chat_template: nothing,
  safe_prompt: off,
  guardrails: empty,
  prompt_mode: nothing,
  realtime: off,
};

/** What ends a text, or is left out of it. */
const endings = {
  min_tokens: zero,
  ignore_eos: off,
  stop_token_ids: empty,
  bad_words: empty,
  allowed_token_ids: nothing,
  include_stop_str_in_output: off,
  no_stop_trim: off,
  skip_special_tokens: neutral(equals(true), 'true'),
  truncate_prompt_tokens: nothing,
};

/** Samplers, penalties and searches. With its neutral value each of them leaves the distribution as it is. */
const samplers = {
  samplers: accepted('the order of samplers is fixed here: penalties, temperature, min_p, top_k, top_p.'),
  min_keep: accepted('one token is always kept.'),
  penalty_last_n: accepted('frequency and presence penalties count the whole completion.'),
  typical_p: one,
  typ_p: one,
  tfs: one,
  tfs_z: one,
  top_a: zero,
  top_n_sigma: neutral((value) => typeof value === 'number' && value <= 0, '-1 or 0'),
  epsilon_cutoff: zero,
  eta_cutoff: zero,
  smoothing_factor: zero,
  smoothing_curve: unused,
  xtc_probability: zero,
  xtc_threshold: unused,
  dynatemp_range: zero,
  dynatemp_exponent: unused,
  mirostat: zero,
  mirostat_mode: zero,
  mirostat_tau: unused,
  mirostat_eta: unused,
  dry_multiplier: zero,
  dry_base: unused,
  dry_allowed_length: unused,
  dry_penalty_last_n: unused,
  dry_sequence_breakers: unused,
  adaptive_target: neutral((value) => typeof value === 'number' && value < 0, '-1'),
  adaptive_decay: unused,
  no_repeat_ngram_size: zero,
  encoder_repetition_penalty: one,
  use_beam_search: off,
  num_beams: one,
  length_penalty: unused,
  early_stopping: unused,
};

/** Fields that other routes have. To leave one out in silence would answer another question than the one that was asked. */
const otherRoutes = {
  prompt: nothing,
  messages: nothing,
  suffix: neutral(equals(''), 'none'),
  input_prefix: nothing,
  input_suffix: nothing,
  input_extra: empty,
  max_completion_tokens: nothing,
  n_predict: neutral(equals(-1), '-1'),
  n: one,
  n_cmpl: one,
  best_of: one,
  echo: off,
  logprobs: neutral(equals(false, 0), 'false or 0'),
  top_logprobs: zero,
  prompt_logprobs: zero,
  n_probs: zero,
  post_sampling_probs: off,
  return_token_ids: off,
  return_tokens: off,
  return_tokens_as_token_ids: off,
  return_progress: off,
};

function isText(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'text';
}

export const compatibleFields = { ...accounting, ...thinking, ...forms, ...endings, ...samplers, ...otherRoutes };
