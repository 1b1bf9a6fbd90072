/** The tokens that a tokenizer puts before every prompt: its post-processor, as far as a prompt can be continued after it. */
import { z } from 'zod';
import { PatternError } from './pattern.ts';

const piece = z.union([
  z.strictObject({ SpecialToken: z.looseObject({ id: z.string() }) }),
  z.strictObject({ Sequence: z.looseObject({ id: z.string() }) }),
]);
const templateSchema = z.looseObject({
  type: z.literal('TemplateProcessing'),
  single: z.array(piece),
  special_tokens: z.record(z.string(), z.looseObject({ ids: z.array(z.int().nonnegative()) })),
});
const sequenceSchema = z.looseObject({ type: z.literal('Sequence'), processors: z.array(z.unknown()) });
const byteLevelSchema = z.looseObject({ type: z.literal('ByteLevel') });

/**
 * @param json `post_processor` of tokenizer.json
 * @returns ids, most often none or the token of a text's beginning
 * @throws PatternError for a post-processor that is not supported, or that ends every text
 */
export function firstTokens(json: unknown): number[] {
  if (json === null || json === undefined || byteLevelSchema.safeParse(json).success) return [];
  const sequence = sequenceSchema.safeParse(json);
  if (sequence.success) return sequence.data.processors.flatMap(firstTokens);
  const template = templateSchema.safeParse(json);
  if (!template.success) {
    throw new PatternError(
      `post_processor ${JSON.stringify((json as { type?: unknown }).type ?? json)} is not supported`,
    );
  }
  const { single, special_tokens } = template.data;
  const text = single.findIndex((part) => 'Sequence' in part);
  if (text !== single.length - 1) {
    throw new PatternError(
      'a post_processor that puts tokens after the text is not supported, as the text is to go on',
    );
  }
  return single.slice(0, text).flatMap((part) => {
    const name = 'SpecialToken' in part ? part.SpecialToken.id : '';
    const token = special_tokens[name];
    if (token === undefined) throw new PatternError(`post_processor names ${JSON.stringify(name)}, no token`);
    return token.ids;
  });
}
