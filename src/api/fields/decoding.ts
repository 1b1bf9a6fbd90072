/** The `decoding` extension: a policy, its parameters, and the blocks that it works on. */
import { z } from '@hono/zod-openapi';
import { DEFAULTS } from '../../engine/defaults.ts';
import {
  DRAFT_SOURCES,
  MOST_STEPS,
  type ParameterName,
  policyNames,
  policyParameters,
  policySummary,
  readersOf,
} from '../../engine/request.ts';

type ParameterFields = { [Name in ParameterName]: z.ZodOptional<(typeof policyParameters)[Name]> };

/** `a`, `b` or `c`, in the given quotes. */
function listed(names: readonly string[], quote: string): string {
  const quoted = names.map((name) => `${quote}${name}${quote}`);
  return quoted.length === 1 ? `${quoted[0]}` : `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`;
}

const parameterFields = Object.fromEntries(
  Object.entries(policyParameters).map(([name, schema]) => [
    name,
    schema.optional().describe(`With ${listed(readersOf(name), '`')}. ${schema.description}`),
  ]),
) as unknown as ParameterFields;

const policyDescription = [
  `What a denoise step decides, always one position at least; a confidence is the plain probability of the id, whatever the temperature. Default: what the model was made for, else \`${DEFAULTS.policy}\`.`,
  ...policyNames.map((name) => `\`${name}\`: ${policySummary(name)}.`),
].join('\n');

export const decodingSchema = z
  .strictObject({
    policy: z.enum(policyNames).optional().openapi({ description: policyDescription }),
    ...parameterFields,
    block_length: z.int().min(1).max(64).optional().openapi({
      description:
        'Tokens per block, or with `verify` per window; 1 is autoregressive. A model that attends in blocks keeps its own and decides them in parts of this length, a divisor. Default: with `verify` as many as pay on this host, else what the model was trained with.',
    }),
    verify: z.boolean().optional().openapi({
      description:
        'Decided ids are drafts that the next forward checks causally: the text is that of block length 1, a forward decides several tokens where drafts hold. A model that attends in blocks then has blocks of one token. Default: true with causal context and logit shift.',
    }),
    drafts: z.array(z.enum(DRAFT_SOURCES)).max(DRAFT_SOURCES.length).optional().openapi({
      description:
        "With `verify`: where drafts are from, as many as pay on this host. `prediction`: the text of the request's `prediction`. `lookup`: what followed the last tokens where they stood before, in the prompt, the suffix, other files or the text. `mask`: masks after the text, in windows of `block_length` at most. An empty list: one token a forward. Default: all of them, or with a `block_length` masks alone, in windows of that length.",
    }),
    remasking: z
      .strictObject({
        strategy: z
          .enum(['cap', 'confidence'])
          .optional()
          .openapi({ description: `Default ${DEFAULTS.remasking.strategy}.` }),
        sigma: z
          .number()
          .min(0)
          .max(1)
          .optional()
          .openapi({ description: `Share of decided positions. Default ${DEFAULTS.remasking.sigma}.` }),
        steps: z.int().min(1).max(64).optional().openapi({ description: 'Of a block. Default: the block length.' }),
      })
      .optional()
      .openapi({
        description:
          'ReMDM (arXiv 2503.00307): decided positions of a block become masks again for its first `steps` steps. Turns `verify` off.',
      }),
    approximate_cache: z
      .strictObject({
        kind: z
          .enum(['prefix', 'dual'])
          .optional()
          .openapi({ description: `Default ${DEFAULTS.approximateCache.kind}.` }),
        refresh: z.int().min(1).max(MOST_STEPS).optional().openapi({
          description: 'Every so many forwards is exact. Default: only the first of each block.',
        }),
      })
      .optional()
      .openapi({
        description:
          'Fast-dLLM (arXiv 2505.22618), for models under full context, whose every forward runs prompt and completion otherwise: K and V of the tokens before the block (`prefix`), or of all but the block (`dual`), are those of its first forward until the next block. Not exact. Default: off.',
      }),
  })
  .superRefine((value, context) => {
    const policy = value.policy ?? DEFAULTS.policy;
    if (value.verify && value.remasking) {
      context.addIssue({ code: 'custom', path: ['remasking'], message: "applies only without 'verify'" });
    }
    if (value.drafts?.includes('mask') && value.block_length === 1) {
      const message = "must not name 'mask' with a 'block_length' of 1, which leaves no mask to predict";
      context.addIssue({ code: 'custom', path: ['drafts'], message });
    }
    for (const name of Object.keys(policyParameters) as ParameterName[]) {
      const readers = readersOf(name);
      if (value[name] === undefined || readers.includes(policy)) continue;
      const message = `applies only with policy ${listed(readers, "'")}, not with '${policy}'`;
      context.addIssue({ code: 'custom', path: [name], message });
    }
  })
  .openapi('Decoding');

export type DecodingFields = z.output<typeof decodingSchema>;
