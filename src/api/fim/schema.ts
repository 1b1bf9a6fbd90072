/** The bodies of `/v1/fim/completions`: the fields of Mistral's and of Mercury's endpoint of that name at once. */
import { z } from '@hono/zod-openapi';
import { DEFAULTS } from '../../engine/defaults.ts';
import { costSchema, finishReasonSchema, stepSchema, usageSchema } from '../fields/answers.ts';
import { compatibleFields } from '../fields/compatible.ts';
import { decodingSchema } from '../fields/decoding.ts';
import { checkNames, samplingFields } from '../fields/sampling.ts';
import { checkStreamFields, streamFields } from '../fields/stream.ts';
import { modelField, stopField, text } from '../fields/text.ts';

export const fimRequestSchema = z
  .object({
    ...compatibleFields,
    model: modelField,
    prompt: text.openapi({ description: 'Text before the hole.' }),
    suffix: text.nullish().openapi({
      description:
        'Text after the hole. Without it, the prompt is continued. The answer has the line breaks of the texts around it.',
    }),
    max_tokens: z
      .int()
      .min(1)
      .nullish()
      .openapi({ description: `New tokens at most. Default ${DEFAULTS.maxTokens.fim}.` }),
    ...samplingFields,
    top_k: z
      .int()
      .min(-1)
      .nullish()
      .openapi({
        description: `Only the so many most probable tokens are drawn, before \`top_p\`. -1 or 0: all. Default ${DEFAULTS.topK}.`,
      }),
    stop: stopField,
    ...streamFields,
    decoding: decodingSchema.nullish(),
  })
  .superRefine((body, context) => {
    checkStreamFields(body, context);
    checkNames(body, context);
  })
  .openapi('FimRequest');

/** The whole answer has a message, a chunk a delta; both have `text`. */
export const fimSchema = z
  .object({
    id: z.string(),
    object: z.literal('text_completion'),
    created: z.int(),
    model: z.string(),
    choices: z.array(
      z.object({
        index: z.int(),
        text: z.string(),
        message: z.object({ role: z.literal('assistant'), content: z.string() }).optional(),
        delta: z.object({ content: z.string() }).optional(),
        finish_reason: finishReasonSchema,
      }),
    ),
    usage: usageSchema.nullish(),
    diffusing: stepSchema.optional(),
    seedling: costSchema.optional(),
  })
  .openapi('FimCompletion');

export type FimRequest = z.output<typeof fimRequestSchema>;
export type FimCompletion = z.output<typeof fimSchema>;
