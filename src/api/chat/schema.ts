/** The bodies of `/v1/chat/completions`. */
import { z } from '@hono/zod-openapi';
import { DEFAULTS } from '../../engine/defaults.ts';
import { costSchema, finishReasonSchema, stepSchema, usageSchema } from '../fields/answers.ts';
import { compatibleFields } from '../fields/compatible.ts';
import { decodingSchema } from '../fields/decoding.ts';
import { messagesField } from '../fields/messages.ts';
import { checkNames, samplingFields } from '../fields/sampling.ts';
import { checkStreamFields, streamFields } from '../fields/stream.ts';
import { modelField, stopField } from '../fields/text.ts';

const tokens = z
  .int()
  .min(-1)
  .refine((value) => value !== 0, 'must be 1 or more')
  .nullish();

export const chatRequestSchema = z
  .object({
    ...compatibleFields,
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
    decoding: decodingSchema.nullish(),
    chat_template_kwargs: z.record(z.string(), z.unknown()).nullish().openapi({
      description:
        "Variables of the chat template, by name, such as `enable_thinking`. The template's own (`messages`, `tools`, `bos_token`, ...) are refused.",
    }),
  })
  .superRefine((body, context) => {
    checkStreamFields(body, context);
    checkNames(body, context);
    const refuse = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if (body.top_logprobs && !body.logprobs) refuse('top_logprobs', "needs 'logprobs': true");
    const { max_tokens, max_completion_tokens } = body;
    if (max_tokens != null && max_completion_tokens != null && max_tokens !== max_completion_tokens) {
      refuse('max_completion_tokens', "must be the same as 'max_tokens'");
    }
  })
  .openapi('ChatRequest');

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
