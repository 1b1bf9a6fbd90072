/** What is done to a text before it is cut into words. */
import { z } from 'zod';
import { literalPattern, PatternError, portablePattern } from './pattern.ts';
import { classSource, complement, rangesOf, union } from './unicode-classes.ts';

export type Normalizer = (text: string) => string;

const ruleSchema = z.discriminatedUnion('type', [
  z.looseObject({ type: z.enum(['NFC', 'NFD', 'NFKC', 'NFKD']) }),
  z.looseObject({ type: z.literal('Prepend'), prepend: z.string() }),
  z.looseObject({
    type: z.literal('Replace'),
    pattern: z.union([z.strictObject({ String: z.string() }), z.strictObject({ Regex: z.string() })]),
    content: z.string(),
  }),
  z.looseObject({ type: z.literal('Sequence'), normalizers: z.array(z.unknown()) }),
]);

/**
 * @param json `normalizer` of tokenizer.json
 * @throws PatternError naming the rule that is not supported
 */
export function createNormalizer(json: unknown): Normalizer {
  if (json === null || json === undefined) return (text) => text;
  const parsed = ruleSchema.safeParse(json);
  if (!parsed.success) {
    throw new PatternError(`normalizer ${JSON.stringify((json as { type?: unknown }).type ?? json)} is not supported`);
  }
  const rule = parsed.data;
  switch (rule.type) {
    case 'Sequence': {
      const steps = rule.normalizers.map(createNormalizer);
      return (text) => steps.reduce((done, step) => step(done), text);
    }
    case 'Prepend':
      return (text) => (text === '' ? text : rule.prepend + text);
    case 'Replace': {
      const { pattern, content } = rule;
      const matcher = 'Regex' in pattern ? portablePattern(pattern.Regex) : literalPattern(pattern.String);
      return (text) => text.replace(matcher, () => content);
    }
    default: {
      const unknown = unknownCharacters();
      return (text) => normalForm(text, rule.type, unknown);
    }
  }
}

/**
 * Runs of characters that the library's normalization does not know yet: later ones, and those that no version has
 * assigned. Most tokenizers have no normal form, so only the others pay for the tables.
 */
function unknownCharacters(): RegExp {
  const assigned = 'LMNPSZC'.split('').flatMap((letter) => [...rangesOf(letter)!]);
  return new RegExp(`[${classSource([...rangesOf('inert')!, ...complement(union(assigned))])}]+`, 'gu');
}

/** A normal form in the Unicode version of the Rust library: what it does not know stays, and nothing joins across it. */
function normalForm(text: string, form: 'NFC' | 'NFD' | 'NFKC' | 'NFKD', unknown: RegExp): string {
  let out = '';
  let last = 0;
  for (const { index, 0: stays } of text.matchAll(unknown)) {
    out += text.slice(last, index).normalize(form) + stays;
    last = index + stays.length;
  }
  return out + text.slice(last).normalize(form);
}
