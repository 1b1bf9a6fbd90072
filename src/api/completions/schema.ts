/** The bodies of `/v1/completions`: OpenAI's fields, each honoured or refused by name, and the extensions. */
import { z } from '@hono/zod-openapi';
import { DEFAULTS } from '../../engine/defaults.ts';
import { costSchema, finishReasonSchema, stepSchema, usageSchema } from '../fields/answers.ts';
import { compatibleFields } from '../fields/compatible.ts';
import { decodingSchema } from '../fields/decoding.ts';
import { predictionField } from '../fields/prediction.ts';
import { promptField, promptsOf } from '../fields/prompt.ts';
import { checkNames, samplingFields } from '../fields/sampling.ts';
import { checkStreamFields, streamFields } from '../fields/stream.ts';
import { modelField, stopField, text } from '../fields/text.ts';

/** Candidates of one request at most, all prompts together. */
const MOST_CANDIDATES = 64;

/** A request as it comes in. Limits that depend on settings or on the model are checked after it. */
export const completionRequestSchema = z
  .object({
    ...compatibleFields,
    model: modelField,
    prompt: promptField,
    max_tokens: z
      .int()
      .min(0)
      .nullish()
      .openapi({
        description: `New tokens at most; 0 only with \`echo\`. Default ${DEFAULTS.maxTokens.completions}.`,
      }),
    ...samplingFields,
    stop: stopField,
    prediction: predictionField,
    ...streamFields,
    decoding: decodingSchema.nullish(),
    n: z
      .int()
      .min(1)
      .max(16)
      .nullish()
      .openapi({ description: `Choices of each prompt, one after another. Default ${DEFAULTS.n}.` }),
    best_of: z.int().min(1).max(20).nullish().openapi({
      description:
        'Candidates of each prompt, of which the `n` with the highest mean log-probability of their tokens come back. Default `n`, and with `stream` nothing else.',
    }),
    echo: z.boolean().nullish().openapi({ description: 'The text begins with the prompt. Not with `suffix`.' }),
    logprobs: z.int().min(0).max(5).nullish().openapi({
      description:
        'Log-probabilities of the tokens, and the so many most probable in their place. With `decoding.verify` they are causal; otherwise each is that of the forward that decided its token. With `echo` the prompt has them too.',
    }),
    suffix: text.nullish().openapi({
      description:
        'Text after a hole: the completion is what belongs between prompt and suffix. Without it, a prompt that holds the FIM markers of Qwen, StarCoder, DeepSeek, CodeLlama, Codestral, CodeGemma or GLM is taken apart to the same end, if the model can fill holes. The completion has the line breaks of the texts around it.',
    }),
  })
  .superRefine((body, context) => {
    checkStreamFields(body, context);
    checkNames(body, context);
    const refuse = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    const n = body.n ?? DEFAULTS.n;
    const candidates = body.best_of ?? n;
    if (body.max_tokens === 0 && !body.echo) refuse('max_tokens', "must be 1 or more without 'echo'");
    if (body.echo && body.suffix) refuse('echo', "does not go with 'suffix'");
    if (candidates < n) refuse('best_of', "must be at least 'n'");
    if (candidates > n && body.stream) refuse('best_of', "must be 'n' with 'stream': true");
    if (promptsOf(body.prompt).length * candidates > MOST_CANDIDATES) {
      refuse(body.best_of ? 'best_of' : 'n', `makes more than ${MOST_CANDIDATES} completions of this request`);
    }
  })
  .openapi('CompletionRequest');

export type CompletionRequest = z.output<typeof completionRequestSchema>;

const logprobsSchema = z
  .object({
    tokens: z.array(z.string()),
    token_logprobs: z.array(z.number().nullable()),
    top_logprobs: z.array(z.record(z.string(), z.number()).nullable()).nullable(),
    text_offset: z.array(z.int()).openapi({ description: 'Where each token begins in the text, in code points.' }),
  })
  .openapi({
    description:
      'A token that is no whole character is written `bytes:\\xe2\\x82`. Log-probabilities below -9999 are -9999.',
  });

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
        logprobs: logprobsSchema.nullable(),
        finish_reason: finishReasonSchema,
      }),
    ),
    usage: usageSchema.nullish(),
    diffusing: stepSchema.optional(),
    seedling: costSchema.optional(),
  })
  .openapi('Completion');

export type Completion = z.output<typeof completionSchema>;
