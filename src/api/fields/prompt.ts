/** OpenAI's `prompt`: a text, token ids, or several of either. */
import { z } from '@hono/zod-openapi';

/** Prompts of one request at most. */
const MOST_PROMPTS = 32;

export type OnePrompt = string | number[];
type Problem = readonly [message: string, code: string];

const WRONG_TYPE: Problem = ['must be a string, an array of token ids, or an array of either', 'invalid_type'];

function isId(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0;
}

// Loops instead of z.array: a megabyte of wrong elements would otherwise cost one issue each.
function oneProblem(value: unknown): Problem | null {
  if (typeof value === 'string') {
    return value.isWellFormed() ? null : ['must be well-formed Unicode, without lone surrogates', 'invalid_value'];
  }
  return Array.isArray(value) && value.every(isId) ? null : WRONG_TYPE;
}

function promptProblem(value: unknown): Problem | null {
  if (!Array.isArray(value) || value.every(isId)) return oneProblem(value);
  const elements: unknown[] = value;
  const kind = typeof elements[0];
  for (const element of elements) {
    const problem = typeof element === kind ? oneProblem(element) : WRONG_TYPE;
    if (problem) return problem;
  }
  return elements.length > MOST_PROMPTS ? [`must be at most ${MOST_PROMPTS} prompts`, 'invalid_value'] : null;
}

export const promptField = z
  .unknown()
  .superRefine((value, context) => {
    const problem = promptProblem(value);
    if (problem) context.addIssue({ code: 'custom', message: problem[0], params: { code: problem[1] } });
  })
  .transform((value) => value as OnePrompt | OnePrompt[])
  .openapi({
    description: `A text, its token ids, or up to ${MOST_PROMPTS} of either: then choice \`prompt * n + j\` is the j-th of that prompt.`,
    anyOf: [
      { type: 'string' },
      { type: 'array', items: { type: 'string' } },
      { type: 'array', items: { type: 'integer' } },
      { type: 'array', items: { type: 'array', items: { type: 'integer' } } },
    ],
  });

/** One or several, as a list. */
export function promptsOf(prompt: OnePrompt | OnePrompt[]): OnePrompt[] {
  return Array.isArray(prompt) && prompt.some((element) => typeof element !== 'number')
    ? (prompt as OnePrompt[])
    : [prompt as OnePrompt];
}
