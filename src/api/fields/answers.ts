/** Schemas of parts that the answers of several endpoints share. */
import { z } from '@hono/zod-openapi';

export const errorBodySchema = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.enum(['invalid_request_error', 'requests', 'server_error']),
      param: z.string().nullable(),
      code: z.string().nullable(),
    }),
  })
  .openapi('Error');

export const usageSchema = z.object({
  prompt_tokens: z.int(),
  completion_tokens: z.int().openapi({ description: 'Of all candidates, those of `best_of` included.' }),
  total_tokens: z.int(),
  prompt_tokens_details: z.object({
    cached_tokens: z
      .int()
      .openapi({ description: 'Tokens of the prompt that an earlier request had left in the cache.' }),
  }),
  completion_tokens_details: z
    .object({
      accepted_prediction_tokens: z.int().openapi({ description: 'Tokens of the prediction that the text has.' }),
      rejected_prediction_tokens: z
        .int()
        .openapi({ description: 'Its other tokens. They are no part of `completion_tokens`.' }),
    })
    .optional()
    .openapi({ description: 'With `prediction`.' }),
});

const draftCountSchema = z.object({ offered: z.int(), held: z.int() });

export const costSchema = z
  .object({
    nfe: z.int().openapi({ description: 'Model forwards after the prefill, commits included.' }),
    tokens_per_forward: z.number(),
    position_forwards: z.int(),
    position_forwards_per_token: z.number(),
    drafts: z
      .object({
        prediction: draftCountSchema.optional(),
        lookup: draftCountSchema.optional(),
        mask: draftCountSchema.optional(),
      })
      .optional()
      .openapi({
        description: 'Drafts that were checked, and those that the causal predictions agreed with, by source.',
      }),
    prefill_ms: z.number(),
    decode_ms: z.number(),
    seed: z.int(),
  })
  .openapi({ description: 'What the generation cost; beside the finish reason.' });

export const stepSchema = z
  .object({
    block: z.int(),
    tokens: z.array(
      z.object({
        position: z.int().openapi({ description: 'Offset in the completion, tokens.' }),
        text: z.string(),
        prob: z.number().openapi({ description: 'Plain probability of the token, whatever the temperature.' }),
        revised: z.boolean().openapi({ description: 'Another token stood there before: a draft that did not hold.' }),
      }),
    ),
    remasked: z.array(z.int()).openapi({ description: 'Offsets that were decided and are masks again.' }),
  })
  .openapi({ description: 'One forward, where the request asked for `diffusing`.' });

export const finishReasonSchema = z.enum(['stop', 'length']).nullable();
