/** OpenAI's predicted outputs: most of the text is known already. */
import { z } from '@hono/zod-openapi';
import { contentField, contentOf } from './messages.ts';

const predictionSchema = z.object({
  type: z.literal('content', { error: "must be 'content'" }),
  content: contentField,
});

export const predictionField = predictionSchema.nullish().openapi({
  description:
    "OpenAI's predicted outputs: a text, or text parts, that most of the answer will repeat, such as the file that is edited. Its tokens are drafts. The text is the same with and without it, and comes in fewer forwards. `usage.completion_tokens_details` says how much of it was accepted.",
});

/** The predicted text; undefined where nothing was predicted. */
export function predictedBy(prediction: z.output<typeof predictionField>): string | undefined {
  return prediction ? contentOf({ content: prediction.content }) : undefined;
}
