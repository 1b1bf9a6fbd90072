/**
 * How Tabby reads completions over HTTP: an event source whose every message must have the fields of a struct, or the
 * task panics. What it cannot open it takes for an end without text.
 */
import { createParser } from 'eventsource-parser';
import { z } from 'zod';

const finishReason = z.string().nullish();
const OPENAI = z.object({ choices: z.array(z.object({ text: z.string(), finish_reason: finishReason })) });
const MISTRAL = z.object({
  choices: z.array(z.object({ delta: z.object({ content: z.string() }), finish_reason: finishReason })),
});
const LLAMA = z.object({ content: z.string(), stop: z.boolean() });

/** A message's text and whether it is the last; null where there is none to yield. */
type Reader = (message: unknown) => readonly [text: string, last: boolean] | null;

export const READERS = {
  'openai/completion': (message) => {
    const [choice] = OPENAI.parse(message).choices;
    return choice ? [choice.text, choice.finish_reason != null] : null;
  },
  'mistral/completion': (message) => {
    const [choice] = MISTRAL.parse(message).choices;
    return choice ? [choice.delta.content, choice.finish_reason != null] : null;
  },
  'llama.cpp/completion': (message) => {
    const { content, stop } = LLAMA.parse(message);
    return [content, stop];
  },
} satisfies Record<string, Reader>;

export interface TabbyText {
  readonly pieces: readonly string[];
  /** Null: the stream ended, or never began, without a last message. */
  readonly ended: 'last message' | null;
}

/** @throws where Tabby panics */
export async function readTabby(response: Response, read: Reader): Promise<TabbyText> {
  const pieces: string[] = [];
  const opened = response.status === 200 && response.headers.get('content-type')?.startsWith('text/event-stream');
  if (!opened) return { pieces, ended: null };
  const messages: string[] = [];
  createParser({ onEvent: ({ data }) => messages.push(data) }).feed(await response.text());
  for (const message of messages) {
    const piece = read(JSON.parse(message));
    if (piece === null) continue;
    pieces.push(piece[0]);
    // It hangs up here, so that `[DONE]` is never parsed.
    if (piece[1]) return { pieces, ended: 'last message' };
  }
  return { pieces, ended: null };
}
