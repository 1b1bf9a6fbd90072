/** Fields for drawing ids from a position's distribution: OpenAI's, and `top_k`. */
import { z } from '@hono/zod-openapi';
import { DEFAULTS } from '../../engine/defaults.ts';

const MOST_BIASES = 1024;
const LARGEST_BIAS = 100;
/** As `Object.keys` would write it: no sign, no leading zero, so no id has two names. */
const TOKEN_ID = /^(0|[1-9]\d{0,9})$/;

function logitBiasProblem(value: unknown): readonly [message: string, code: string] | null {
  if (value === undefined || value === null) return null;
  if (typeof value !== 'object' || Array.isArray(value))
    return ['must be an object of biases by token id', 'invalid_type'];
  const entries = Object.entries(value);
  if (entries.length > MOST_BIASES) return [`must have at most ${MOST_BIASES} entries`, 'invalid_value'];
  for (const [id, bias] of entries) {
    if (!TOKEN_ID.test(id)) return ['must have token ids for names', 'invalid_value'];
    if (typeof bias !== 'number') return ['must have numbers for values', 'invalid_type'];
    if (!(Math.abs(bias) <= LARGEST_BIAS)) {
      return [`must have values from ${-LARGEST_BIAS} to ${LARGEST_BIAS}`, 'invalid_value'];
    }
  }
  return null;
}

/** One issue at most, where a record of zod's would make one of each wrong entry. */
const logitBias = z
  .unknown()
  .optional()
  .superRefine((value, context) => {
    const problem = logitBiasProblem(value);
    if (problem) context.addIssue({ code: 'custom', message: problem[0], params: { code: problem[1] } });
  })
  .transform((value) => value as Readonly<Record<string, number>> | null | undefined)
  .openapi({
    description:
      'Added to the logits of these token ids before the choice; -100 bans, 100 forces. ' +
      `At most ${MOST_BIASES} ids. Default none.`,
    type: ['object', 'null'],
    additionalProperties: { type: 'number', minimum: -LARGEST_BIAS, maximum: LARGEST_BIAS },
  });

const penalty = (what: string, fallback: number) =>
  z
    .number()
    .min(-2)
    .max(2)
    .nullish()
    .openapi({
      description: `Taken from a token's logit ${what}; a negative one favours repetition. Default ${fallback}.`,
    });

const repetition = (whose: string) =>
  z
    .number()
    .gt(0)
    .max(10)
    .nullish()
    .openapi({
      description: `A logit above 0 is divided by it and one below is multiplied, for each token that occurred. ${whose}. Default ${DEFAULTS.repetitionPenalty}.`,
    });

export const samplingFields = {
  temperature: z
    .number()
    .min(0)
    .max(2)
    .nullish()
    .openapi({
      description: `Default ${DEFAULTS.temperature} (greedy), where OpenAI's is 1: a small code model does better without noise.`,
    }),
  top_p: z
    .number()
    .gt(0)
    .max(1)
    .nullish()
    .openapi({ description: `Default ${DEFAULTS.topP}.` }),
  top_k: z
    .int()
    .min(0)
    .nullish()
    .openapi({
      description: `An extension: only the so many most probable tokens are drawn, before \`top_p\`. Default ${DEFAULTS.topK}: all.`,
    }),
  min_p: z
    .number()
    .min(0)
    .max(1)
    .nullish()
    .openapi({
      description: `An extension: only tokens with at least this share of the best token's probability are drawn, after the temperature and before \`top_k\` and \`top_p\`. Default ${DEFAULTS.minP}: all.`,
    }),
  repetition_penalty: repetition("vLLM's: of prompt and completion, unless `repeat_last_n` says how much of them"),
  repeat_penalty: repetition("llama.cpp's: in the last `repeat_last_n` tokens of prompt and completion"),
  repeat_last_n: z
    .int()
    .min(-1)
    .nullish()
    .openapi({
      description: `Tokens that the penalty looks back; 0 turns it off, -1 is all. Default ${DEFAULTS.repeatLastN} with \`repeat_penalty\`, -1 with \`repetition_penalty\`.`,
    }),
  seed: z.int().nullish().openapi({ description: 'Same seed, same text. Default: random; reported back.' }),
  random_seed: z.int().nullish().openapi({ description: "Mistral's name of `seed`." }),
  token_healing: z.boolean().nullish().openapi({
    description:
      'An extension: a text may end inside a token, so that its last token, or its last space, is taken back and only tokens that begin so are written first. Default true for text, without effect on token ids.',
  }),
  frequency_penalty: penalty('for each time it stands in the completion so far', DEFAULTS.frequencyPenalty),
  presence_penalty: penalty('once it stands in the completion so far', DEFAULTS.presencePenalty),
  logit_bias: logitBias,
};

const schema = z.object(samplingFields);
export type SamplingFields = z.output<typeof schema>;

/** One value, whichever of its names was sent. */
export function checkNames(body: SamplingFields, context: z.RefinementCtx): void {
  for (const [name, other] of [
    ['seed', 'random_seed'],
    ['repeat_penalty', 'repetition_penalty'],
  ] as const) {
    if (body[name] == null || body[other] == null || body[name] === body[other]) continue;
    context.addIssue({ code: 'custom', path: [other], message: `must be the same as '${name}'` });
  }
}
