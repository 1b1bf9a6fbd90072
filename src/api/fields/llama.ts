/** Fields of llama.cpp's own routes: those that are honoured, and those that change nothing. */
import { z } from '@hono/zod-openapi';
import { DEFAULTS } from '../../engine/defaults.ts';
import { accepted } from './text.ts';

/** Of `/completion` and `/infill` alone. */
export const llamaFields = {
  n_predict: z
    .int()
    .min(-1)
    .nullish()
    .openapi({
      description:
        'New tokens at most; 0 only runs the prompt, so that the next request finds it in the cache; -1 as many as fit. ' +
        `Default ${DEFAULTS.maxTokens.llama}.`,
    }),
  n_cmpl: z
    .int()
    .min(1)
    .max(16)
    .nullish()
    .openapi({ description: 'Completions; with more than one, the body is an array.' }),
  t_max_predict_ms: z.int().min(0).nullish().openapi({
    description:
      'Ends the text when it takes longer than this, counted from the first token, once it has a line break.',
  }),
  'speculative.n_max': z.int().min(0).nullish().openapi({
    description:
      '0: no drafts, one token a forward. Any other number has no effect: as many drafts are checked as pay on this host.',
  }),
  'speculative.n_min': accepted('as many drafts are checked as pay on this host.'),
  'speculative.p_min': accepted('a draft is checked where it pays on this host.'),
  n_indent: accepted('indentation is up to the model.'),
  n_keep: accepted('a prompt that does not fit is refused, or for `/infill` cut at its far ends.'),
  n_discard: accepted('nothing of the context is ever dropped while a text is written.'),
  response_fields: accepted('all fields come back.'),
  sse_ping_interval: accepted("the interval is the server's."),
};
