/** The messages of a chat, as OpenAI's clients send them, reduced to text. */
import { z } from '@hono/zod-openapi';
import { neutral, text } from './text.ts';

const MOST_MESSAGES = 256;

const textPart = z.object({
  type: z.literal('text', { error: "must be 'text': this model reads nothing else" }),
  text,
  cache_control: z.unknown().optional(),
});

const content = z.union([text, z.array(textPart)], { error: 'must be a text, or an array of text parts' });
const nothing = neutral((value) => Array.isArray(value) && value.length === 0, 'nothing');

/** A text, or parts of one. `contentOf` reads it. */
export const contentField = z.unknown().superRefine((value, context) => {
  const parsed = content.safeParse(value);
  if (parsed.success) return;
  // A union says only that none of its options fits. The caller needs to know which part is wrong, and why.
  const list = Array.isArray(value) ? z.array(textPart).safeParse(value) : parsed;
  for (const issue of list.error?.issues.slice(0, 1) ?? []) {
    context.addIssue({ code: 'custom', path: [...issue.path], message: issue.message });
  }
});

export const messageSchema = z.object({
  role: z.enum(['system', 'developer', 'user', 'assistant'], {
    error: "must be 'system', 'developer', 'user' or 'assistant': this model calls no tools",
  }),
  content: contentField,
  name: text.nullish().openapi({ description: 'Handed to the chat template.' }),
  prefix: z.boolean({ error: 'must be true or false' }).nullish().openapi({
    description:
      "Mistral's: the answer goes on with this message, as with `continue_final_message`. In the last message only.",
  }),
  refusal: neutral(() => false, 'null'),
  audio: neutral(() => false, 'null'),
  tool_calls: nothing,
  function_call: neutral(() => false, 'null'),
  tool_call_id: neutral(() => false, 'null'),
});

export const messagesField = z
  .array(messageSchema)
  .min(1, 'must not be empty')
  .max(MOST_MESSAGES, `must be at most ${MOST_MESSAGES} messages`);

type Message = z.output<typeof messageSchema>;

/** Parts follow each other directly. */
export function contentOf({ content }: Pick<Message, 'content'>): string {
  if (typeof content === 'string') return content;
  return (content as readonly z.output<typeof textPart>[]).map((part) => part.text).join('');
}
