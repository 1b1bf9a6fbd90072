/** One streamed completion through the OpenAI client, timed as its user sees it. */
import type OpenAI from 'openai';
import { DEFAULT_MODEL } from './settings.ts';

export interface StreamedCompletion {
  readonly text: string;
  readonly promptTokens: number;
  readonly tokens: number;
  /** Forwards after the prefill, as the server counts them. */
  readonly nfe: number;
  /** From the request to the first chunk with text. */
  readonly firstMs: number;
  /** From the request to the end of the stream. */
  readonly totalMs: number;
}

export interface CompletionAsk {
  readonly prompt: string;
  readonly maxTokens: number;
  /** Absent: as the server decodes by default. */
  readonly blockLength?: number | undefined;
}

/**
 * Greedy. Token healing is off: it would take the last token of a prompt back, and
 * a bench that asks for a prompt of N tokens wants N prefilled.
 * @throws where the server refuses it
 */
export async function streamCompletion(client: OpenAI, ask: CompletionAsk): Promise<StreamedCompletion> {
  const start = performance.now();
  const body = {
    model: DEFAULT_MODEL,
    prompt: ask.prompt,
    max_tokens: ask.maxTokens,
    temperature: 0,
    stream: true,
    stream_options: { include_usage: true },
    token_healing: false,
    ...(ask.blockLength !== undefined && { decoding: { block_length: ask.blockLength } }),
  } as const;
  const stream = await client.completions.create(body);
  let text = '';
  let firstMs = Number.NaN;
  let usage: OpenAI.CompletionUsage | undefined;
  let nfe = Number.NaN;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.text ?? '';
    if (Number.isNaN(firstMs) && text !== '') firstMs = performance.now() - start;
    usage = chunk.usage ?? usage;
    nfe = (chunk as { seedling?: { nfe: number } }).seedling?.nfe ?? nfe;
  }
  if (!usage) throw new Error('the stream ended without its usage');
  return {
    text,
    promptTokens: usage.prompt_tokens,
    tokens: usage.completion_tokens,
    nfe,
    firstMs,
    totalMs: performance.now() - start,
  };
}
