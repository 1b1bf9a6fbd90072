/** The bodies of `/v1/chat/completions`. */
import { z } from '@hono/zod-openapi';
import { DEFAULTS } from '../../engine/defaults.ts';
import { costSchema, finishReasonSchema, stepSchema, usageSchema } from '../fields/answers.ts';
import { decodingSchema } from '../fields/decoding.ts';
import { llamaSamplers } from '../fields/llama.ts';
import { messagesField } from '../fields/messages.ts';
import { samplingFields } from '../fields/sampling.ts';
import { checkStreamFields, streamFields } from '../fields/stream.ts';
import { accepted, modelField, neutral, stopField, userField } from '../fields/text.ts';

const none = (value: unknown) => Array.isArray(value) && value.length === 0;
const tokens = z
  .int()
  .min(-1)
  .refine((value) => value !== 0, 'must be 1 or more')
  .nullish();

export const chatRequestSchema = z
  .strictObject({
    model: modelField,
    messages: messagesField,
    max_tokens: tokens.openapi({
      description: `New tokens at most; -1: as the default. Default: ${DEFAULTS.maxTokens.chat}, or what is left.`,
    }),
    max_completion_tokens: tokens.openapi({ description: 'The newer name of `max_tokens`.' }),
    n: z
      .int()
      .min(1)
      .max(16)
      .nullish()
      .openapi({ description: `Choices, one after another. Default ${DEFAULTS.n}.` }),
    ...samplingFields,
    stop: stopField,
    ...streamFields,
    logprobs: z.boolean().nullish().openapi({ description: 'Log-probabilities of the tokens of the answer.' }),
    top_logprobs: z.int().min(0).max(20).nullish().openapi({
      description: 'With `logprobs`: so many of the most probable tokens in the place of each.',
    }),
    user: userField,
    decoding: decodingSchema.nullish(),
    response_format: neutral((value) => isText(value), '{"type": "text"}'),
    tools: neutral(none, '[]'),
    tool_choice: neutral((value) => value === 'none' || value === 'auto', "'none' or 'auto', as there are no tools"),
    parallel_tool_calls: accepted('there are no tools.'),
    functions: neutral(none, '[]'),
    function_call: neutral((value) => value === 'none' || value === 'auto', "'none' or 'auto', as there are no tools"),
    modalities: neutral((value) => Array.isArray(value) && value.every((kind) => kind === 'text'), '["text"]'),
    audio: neutral(() => false, 'null'),
    prediction: neutral(() => false, 'null'),
    web_search_options: neutral(() => false, 'null'),
    verbosity: neutral((value) => value === 'medium', "'medium'"),
    reasoning_effort: neutral((value) => value === 'none' || value === 'instant', "'none' or 'instant'"),
    realtime: neutral((value) => value === false, 'false'),
    store: neutral((value) => value === false, 'false'),
    service_tier: neutral((value) => value === 'auto' || value === 'default', "'auto' or 'default'"),
    metadata: accepted('whatever it holds is ignored on purpose.'),
    prompt_cache_key: accepted('prompts are matched by their tokens.'),
    safety_identifier: accepted('whatever it holds is ignored on purpose.'),
    nextEdit: accepted("Continue's note to Mercury; next edits have `/v1/edit/completions`."),
    ...llamaSamplers,
  })
  .superRefine((body, context) => {
    checkStreamFields(body, context);
    const refuse = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if (body.top_logprobs && !body.logprobs) refuse('top_logprobs', "needs 'logprobs': true");
    const { max_tokens, max_completion_tokens } = body;
    if (max_tokens != null && max_completion_tokens != null && max_tokens !== max_completion_tokens) {
      refuse('max_completion_tokens', "must be the same as 'max_tokens'");
    }
  })
  .openapi('ChatRequest');

function isText(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'text';
}

const tokenSchema = z.object({ token: z.string(), logprob: z.number(), bytes: z.array(z.int()) });
const logprobsSchema = z.object({
  content: z.array(tokenSchema.extend({ top_logprobs: z.array(tokenSchema) })),
  refusal: z.null(),
});
const shared = { id: z.string(), created: z.int(), model: z.string() };
const extensions = { diffusing: stepSchema.optional(), seedling: costSchema.optional() };

export const chatSchema = z
  .object({
    ...shared,
    object: z.literal('chat.completion'),
    choices: z.array(
      z.object({
        index: z.int(),
        message: z.object({ role: z.literal('assistant'), content: z.string(), refusal: z.null() }),
        logprobs: logprobsSchema.nullable(),
        finish_reason: finishReasonSchema,
      }),
    ),
    usage: usageSchema,
    ...extensions,
  })
  .openapi('ChatCompletion');

export const chatChunkSchema = z
  .object({
    ...shared,
    object: z.literal('chat.completion.chunk'),
    choices: z.array(
      z.object({
        index: z.int(),
        delta: z.object({ role: z.literal('assistant').optional(), content: z.string().optional() }),
        logprobs: logprobsSchema.nullable(),
        finish_reason: finishReasonSchema,
      }),
    ),
    usage: usageSchema.nullish(),
    ...extensions,
  })
  .openapi('ChatCompletionChunk');

export type ChatRequest = z.output<typeof chatRequestSchema>;
export type ChatCompletion = z.output<typeof chatSchema>;
export type ChatChunk = z.output<typeof chatChunkSchema>;
