/** The bodies of `/v1/chat/completions`. */
import { z } from '@hono/zod-openapi';
import { DEFAULTS } from '../../engine/defaults.ts';
import { costSchema, finishReasonSchema, stepSchema, usageSchema } from '../fields/answers.ts';
import { compatibleFields } from '../fields/compatible.ts';
import { decodingSchema } from '../fields/decoding.ts';
import { messagesField } from '../fields/messages.ts';
import { predictionField } from '../fields/prediction.ts';
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
    prediction: predictionField,
    ...streamFields,
    logprobs: z.boolean().nullish().openapi({ description: 'Log-probabilities of the tokens of the answer.' }),
    top_logprobs: z.int().min(0).max(20).nullish().openapi({
      description: 'With `logprobs`: so many of the most probable tokens in the place of each.',
    }),
    decoding: decodingSchema.nullish(),
    continue_final_message: z.boolean().nullish().openapi({
      description:
        "The answer goes on with the last message, which must be the assistant's, and has the new text only. With `add_generation_prompt: true` it is refused.",
    }),
    add_generation_prompt: z.boolean().nullish().openapi({
      description:
        "The prompt ends with the beginning of an assistant's turn. Default true, and false where the last message is continued.",
    }),
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
    checkContinued(body, context);
    const { max_tokens, max_completion_tokens } = body;
    if (max_tokens != null && max_completion_tokens != null && max_tokens !== max_completion_tokens) {
      refuse('max_completion_tokens', "must be the same as 'max_tokens'");
    }
  })
  .openapi('ChatRequest');

type Turns = Pick<ChatRequest, 'messages' | 'continue_final_message' | 'add_generation_prompt'>;

/** Whether the answer goes on with the last message. */
export function continuesLast({ messages, continue_final_message }: Turns): boolean {
  return continue_final_message === true || messages.at(-1)?.prefix === true;
}

function checkContinued(body: Turns, context: z.RefinementCtx): void {
  const refuse = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message });
  const last = body.messages.length - 1;
  const early = body.messages.findIndex(({ prefix }, i) => prefix === true && i < last);
  if (early >= 0) refuse(['messages', early, 'prefix'], 'may be true in the last message only');
  if (last < 0 || !continuesLast(body)) return;
  const prefixed = body.messages[last]!.prefix === true;
  if (prefixed && body.continue_final_message === false) {
    refuse(['continue_final_message'], "must not be false where the last message has 'prefix': true");
  }
  if (body.messages[last]!.role !== 'assistant') {
    const path = prefixed ? ['messages', last, 'prefix'] : ['continue_final_message'];
    refuse(path, "needs a last message of the role 'assistant'");
  }
  if (body.add_generation_prompt === true) {
    refuse(['add_generation_prompt'], 'must not be true where the last message is continued');
  }
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
