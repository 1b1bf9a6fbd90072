/** The bodies of `/v1/completions`: OpenAI's fields, each honoured or refused by name, and the `decoding` extension. */
import { z } from '@hono/zod-openapi';
import { decodingSchema } from './decoding-schema.ts';
import { samplingFields } from './sampling-fields.ts';

const LONGEST_STOP = 500;

/** Lone surrogates have no UTF-8 form, so no tokenizer could tell them from U+FFFD. */
const text = z.string().refine((value) => value.isWellFormed(), 'must be well-formed Unicode, without lone surrogates');

/** A field that is known but not served: only values that change nothing pass. */
function neutral(isNeutral: (value: unknown) => boolean, only: string) {
  return z
    .unknown()
    .optional()
    .superRefine((value, context) => {
      if (value === undefined || value === null || isNeutral(value)) return;
      context.addIssue({
        code: 'custom',
        message: `this server supports only ${only}`,
        params: { code: 'unsupported_parameter' },
      });
    })
    .openapi({ description: `Accepted for compatibility: only ${only}.` });
}

function promptProblem(value: unknown): readonly [message: string, code: string] | null {
  if (value === undefined) return ['is required', 'missing_required_parameter'];
  if (typeof value === 'string') {
    return value.isWellFormed() ? null : ['must be well-formed Unicode, without lone surrogates', 'invalid_value'];
  }
  if (!Array.isArray(value)) return ['must be a string or an array of token ids', 'invalid_type'];
  // A loop instead of z.array: a megabyte of wrong elements would otherwise cost one issue each.
  for (const element of value as unknown[]) {
    if (typeof element === 'string' || Array.isArray(element)) {
      return ['several prompts in one request are not supported', 'unsupported_parameter'];
    }
    if (!Number.isInteger(element) || (element as number) < 0) {
      return ['must be a string or an array of token ids', 'invalid_type'];
    }
  }
  return null;
}

const prompt = z
  .unknown()
  .superRefine((value, context) => {
    const problem = promptProblem(value);
    if (problem) context.addIssue({ code: 'custom', message: problem[0], params: { code: problem[1] } });
  })
  .transform((value) => value as string | number[])
  .openapi({
    description: 'Text, or token ids.',
    oneOf: [{ type: 'string' }, { type: 'array', items: { type: 'integer', minimum: 0 } }],
  });

const stop = z.string().min(1, 'must not be empty').max(LONGEST_STOP, `must be at most ${LONGEST_STOP} characters`);
const wellFormedStop = stop.refine((value) => value.isWellFormed(), 'must be well-formed Unicode');

/** A request as it comes in. Limits that depend on settings or on the model are checked after it. */
export const completionRequestSchema = z
  .strictObject({
    model: text.optional().openapi({ description: "Default: this server's model." }),
    prompt,
    max_tokens: z.int().min(1).nullish().openapi({ description: 'New tokens at most. Default 16.' }),
    ...samplingFields,
    stop: z
      .union([wellFormedStop, z.array(wellFormedStop).max(4)], {
        error: `must be a string or up to 4 strings, each of 1 to ${LONGEST_STOP} well-formed characters`,
      })
      .nullish(),
    stream: z.boolean().nullish(),
    stream_options: z
      .strictObject({
        include_usage: z.boolean().optional(),
        include_obfuscation: neutral((value) => value === false, 'false'),
      })
      .nullish(),
    diffusing: z.boolean().nullish().openapi({
      description:
        'With `stream`: a chunk for every forward as well, without text, whose `diffusing` says what was decided, revised or masked again.',
    }),
    user: text.nullish().openapi({ description: 'Accepted and ignored on purpose.' }),
    decoding: decodingSchema.nullish(),
    n: neutral((value) => value === 1, '1'),
    best_of: neutral((value) => value === 1, '1'),
    echo: neutral((value) => value === false, 'false'),
    logprobs: neutral(() => false, 'null'),
    suffix: text.nullish().openapi({
      description: 'Text behind a hole: the completion is what belongs between prompt and suffix.',
    }),
  })
  .superRefine((body, context) => {
    if (body.stream === true) return;
    for (const field of ['stream_options', 'diffusing'] as const) {
      if (!body[field]) continue;
      context.addIssue({ code: 'custom', path: [field], message: "is allowed only with 'stream': true" });
    }
  })
  .openapi('CompletionRequest');

export type CompletionRequest = z.output<typeof completionRequestSchema>;

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

const usageSchema = z.object({
  prompt_tokens: z.int(),
  completion_tokens: z.int(),
  total_tokens: z.int(),
  prompt_tokens_details: z.object({
    cached_tokens: z
      .int()
      .openapi({ description: 'Tokens of the prompt that an earlier request had left in the cache.' }),
  }),
});

const costSchema = z.object({
  nfe: z.int().openapi({ description: 'Model forwards after the prefill, commits included.' }),
  tokens_per_forward: z.number(),
  position_forwards: z.int(),
  position_forwards_per_token: z.number(),
  prefill_ms: z.number(),
  decode_ms: z.number(),
  seed: z.int(),
});

const stepSchema = z
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

/** The whole answer; chunks of a stream have the same shape with parts of the text. */
export const completionSchema = z
  .object({
    id: z.string(),
    object: z.literal('text_completion'),
    created: z.int(),
    model: z.string(),
    choices: z.array(
      z.object({
        text: z.string(),
        index: z.int(),
        logprobs: z.null(),
        finish_reason: z.enum(['stop', 'length']).nullable(),
      }),
    ),
    usage: usageSchema.nullish(),
    diffusing: stepSchema.optional(),
    seedling: costSchema.optional().openapi({ description: 'What the generation cost; beside the finish reason.' }),
  })
  .openapi('Completion');

export type Completion = z.output<typeof completionSchema>;
