/** Refuses prompts that are too long, most of them before they are tokenized. */
import type { DiffusionModel } from '../../model/model.ts';
import { RequestError } from '../request.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';

/** What bounds a prompt's length. */
export interface Reader {
  readonly model: Pick<DiffusionModel, 'config' | 'maxTokens'>;
  readonly tokenizer: Tokenizer;
}

/** Tokens that prompt and completion of one request have at most. */
export function contextLimit({ model }: Pick<Reader, 'model'>): number {
  return Math.min(model.config.contextLength, model.maxTokens);
}

/**
 * Refuses a request that could never fit, in the sentence by which OpenAI's clients recognise it.
 * @param param the field that the prompt came in
 * @throws RequestError `context_length_exceeded`
 */
export function requireFits(
  promptTokens: number,
  maxTokens: number,
  reader: Pick<Reader, 'model'>,
  param: string,
): void {
  const limit = contextLimit(reader);
  const needed = promptTokens + maxTokens;
  if (needed <= limit) return;
  throw new RequestError(
    `This model's maximum context length is ${limit} tokens. However, you requested ${needed} tokens ` +
      `(${promptTokens} in the prompt, ${maxTokens} in the completion). ` +
      'Please reduce the length of the prompt or completion.',
    'context_length_exceeded',
    param,
  );
}

/**
 * Refuses a text of more bytes than a context full of the vocabulary's longest token has. To tokenize a megabyte only to
 * refuse it would take seconds in which nobody else is served. Bytes that a tokenizer drops count too.
 * @param param the field that the text came in
 * @throws RequestError `context_length_exceeded`
 */
export function requireMayFit(text: string, param: string, reader: Reader): void {
  const { longestToken } = reader.tokenizer;
  const limit = contextLimit(reader);
  // No UTF-16 unit has less than a byte, so most of what is too long need not be encoded either.
  const long = text.length > limit * longestToken;
  const bytes = long ? text.length : new TextEncoder().encode(text).length;
  if (bytes <= limit * longestToken) return;
  throw new RequestError(
    `This model's maximum context length is ${limit} tokens. However, '${param}' has ` +
      `${Math.ceil(bytes / longestToken)} or more. Please reduce its length.`,
    'context_length_exceeded',
    param,
  );
}
