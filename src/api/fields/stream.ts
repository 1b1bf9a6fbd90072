/** Fields that choose whether an answer is a stream, and what a stream contains. */
import { z } from '@hono/zod-openapi';
import { neutral } from './text.ts';

export const streamFields = {
  stream: z.boolean().nullish(),
  stream_options: z
    .object({
      include_usage: z.boolean().optional(),
      include_obfuscation: neutral((value) => value === false, 'false'),
    })
    .nullish(),
  diffusing: z.boolean().nullish().openapi({
    description:
      'With `stream`: a chunk for every forward as well, without text, whose `diffusing` says what was decided, revised or masked again.',
  }),
};

const schema = z.object(streamFields);
export type StreamFields = z.output<typeof schema>;

export function checkStreamFields(body: StreamFields, context: z.RefinementCtx): void {
  if (body.stream === true) return;
  for (const field of ['stream_options', 'diffusing'] as const) {
    if (!body[field]) continue;
    context.addIssue({ code: 'custom', path: [field], message: "is allowed only with 'stream': true" });
  }
}
