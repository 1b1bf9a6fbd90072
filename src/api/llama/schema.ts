/** The bodies of llama.cpp's own endpoints. */
import { z } from '@hono/zod-openapi';
import { compatibleFields } from '../fields/compatible.ts';
import { decodingSchema } from '../fields/decoding.ts';
import { llamaFields } from '../fields/llama.ts';
import { promptField } from '../fields/prompt.ts';
import { checkNames, samplingFields } from '../fields/sampling.ts';
import { streamFields } from '../fields/stream.ts';
import { modelField, stopField, text } from '../fields/text.ts';

const shared = {
  ...compatibleFields,
  model: modelField,
  ...samplingFields,
  stop: stopField,
  stream: z.boolean().nullish(),
  stream_options: streamFields.stream_options.openapi({
    description: 'Accepted: the last message always says what was used.',
  }),
  decoding: decodingSchema.nullish(),
  ...llamaFields,
  n: z.int().min(1).max(16).nullish().openapi({ description: 'Another name of `n_cmpl`.' }),
  max_tokens: z.int().min(-1).nullish().openapi({ description: 'Another name of `n_predict`.' }),
};

export const llamaCompletionRequestSchema = z
  .object({
    ...shared,
    prompt: promptField,
  })
  .superRefine(checkNames)
  .openapi('LlamaCompletionRequest');

const extraSchema = z.object({ text, filename: text.nullish() });

export const infillRequestSchema = z
  .object({
    ...shared,
    input_prefix: text.openapi({ description: 'Code before the hole.' }),
    input_suffix: text.openapi({ description: 'Code after it. The answer has the line breaks of the code around it.' }),
    input_extra: z.array(extraSchema).max(256).nullish().openapi({
      description: 'Other code, put before the prefix; the last ones are kept where not all fit.',
    }),
    prompt: text.nullish().openapi({ description: 'The beginning of what fills the hole.' }),
  })
  .superRefine(checkNames)
  .openapi('InfillRequest');

export type LlamaRequest = z.output<typeof llamaCompletionRequestSchema>;
export type InfillRequest = z.output<typeof infillRequestSchema>;

export const llamaChunkSchema = z
  .object({ index: z.int(), content: z.string(), tokens: z.array(z.int()), stop: z.boolean() })
  .openapi('LlamaChunk');

export const llamaCompletionSchema = z
  .object({
    index: z.int(),
    content: z.string(),
    tokens: z.array(z.int()).openapi({ description: 'Always empty.' }),
    id_slot: z.int(),
    stop: z.literal(true),
    model: z.string(),
    tokens_predicted: z.int(),
    tokens_evaluated: z.int(),
    tokens_cached: z.int(),
    prompt: z.string(),
    truncated: z.boolean().openapi({ description: 'Some of the context was left out to make the rest fit.' }),
    has_new_line: z.boolean(),
    stop_type: z.enum(['none', 'eos', 'limit', 'word']),
    stopping_word: z.string(),
    generation_settings: z.object({
      n_predict: z.int(),
      seed: z.int(),
      temperature: z.number(),
      top_k: z.int(),
      top_p: z.number(),
      stop: z.array(z.string()),
    }),
    timings: z.object({
      cache_n: z.int(),
      prompt_n: z.int(),
      prompt_ms: z.number(),
      prompt_per_token_ms: z.number(),
      prompt_per_second: z.number(),
      predicted_n: z.int(),
      predicted_ms: z.number(),
      predicted_per_token_ms: z.number(),
      predicted_per_second: z.number(),
      draft_n: z.int().optional().openapi({ description: 'Drafts that were checked, where there were any.' }),
      draft_n_accepted: z.int().optional(),
    }),
  })
  .openapi('LlamaCompletion');

export type LlamaCompletion = z.output<typeof llamaCompletionSchema>;
