/** Kinds of fields that several endpoints share. */
import { z } from '@hono/zod-openapi';

const LONGEST_STOP = 500;
const MOST_STOPS = 32;

/** Lone surrogates have no UTF-8 form, so no tokenizer could tell them from U+FFFD. */
export const text = z
  .string()
  .refine((value) => value.isWellFormed(), 'must be well-formed Unicode, without lone surrogates');

/** A field that is known but not served: only values that change nothing pass. */
export function neutral(isNeutral: (value: unknown) => boolean, only: string) {
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

/** A field that clients send and that changes nothing here, whatever it says. */
export const accepted = (why: string) =>
  z
    .unknown()
    .optional()
    .openapi({ description: `Accepted: ${why}` });

const oneStop = z
  .string()
  .min(1, 'must not be empty')
  .max(LONGEST_STOP, `must be at most ${LONGEST_STOP} characters`)
  .refine((value) => value.isWellFormed(), 'must be well-formed Unicode');

export const stopField = z
  .union([oneStop, z.array(oneStop).max(MOST_STOPS)], {
    error: `must be a string or up to ${MOST_STOPS} strings, each of 1 to ${LONGEST_STOP} well-formed characters`,
  })
  .nullish()
  .openapi({
    description: `Ends the text before the first of these. OpenAI's limit is 4; editors send more, so here it is ${MOST_STOPS}. A line break in it is found as LF and as CRLF.`,
  });

export const modelField = text.optional().openapi({ description: "Default: this server's model." });
