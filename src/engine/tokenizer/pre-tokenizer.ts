/** How a text is cut into words before the merges: the rules of the Rust tokenizers that byte-level BPE goes with. */
import { z } from 'zod';
import { literalPattern, PatternError, portablePattern } from './pattern.ts';
import { classSource, type Range, rangesOf, SPACE, union } from './unicode-classes.ts';

/** Cuts one piece of text into smaller ones, none of them empty. */
export type PreTokenizer = (text: string) => string[];

const behaviors = ['removed', 'isolated', 'mergedwithprevious', 'mergedwithnext', 'contiguous'] as const;
type Behavior = (typeof behaviors)[number];
const behaviorField = z
  .string()
  .transform((name) => name.toLowerCase().replaceAll('_', ''))
  .pipe(z.enum(behaviors));

const splitSchema = z.looseObject({
  type: z.literal('Split'),
  pattern: z.union([z.strictObject({ String: z.string() }), z.strictObject({ Regex: z.string() })]),
  behavior: behaviorField,
  invert: z.boolean().default(false),
});
const digitsSchema = z.looseObject({ type: z.literal('Digits'), individual_digits: z.boolean().default(false) });
const punctuationSchema = z.looseObject({
  type: z.literal('Punctuation'),
  behavior: behaviorField.default('isolated'),
});
const byteLevelSchema = z.looseObject({
  type: z.literal('ByteLevel'),
  add_prefix_space: z.boolean().default(true),
  use_regex: z.boolean().default(true),
});
const whitespaceSplitSchema = z.looseObject({ type: z.literal('WhitespaceSplit') });
const sequenceSchema = z.looseObject({ type: z.literal('Sequence'), pretokenizers: z.array(z.unknown()) });
const schemas = [
  splitSchema,
  digitsSchema,
  punctuationSchema,
  byteLevelSchema,
  whitespaceSplitSchema,
  sequenceSchema,
] as const;
const ruleSchema = z.discriminatedUnion('type', schemas);
type Rule = z.output<typeof ruleSchema>;

/** GPT-2's words (Radford et al. 2019), which `ByteLevel` cuts unless another rule has. */
const GPT2_WORDS = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/**
 * @param json `pre_tokenizer` of tokenizer.json; `ByteLevel` has to be its last rule, as the merges run over bytes
 * @throws PatternError, or Error naming the rule that is not supported
 */
export function createPreTokenizer(json: unknown): PreTokenizer {
  const rules = flatten(json);
  const byteLevel = rules.findIndex(({ type }) => type === 'ByteLevel');
  if (byteLevel !== rules.length - 1)
    throw new PatternError('a pre_tokenizer that does not end in ByteLevel is not supported');
  const cuts = rules.map(create);
  return (text) => cuts.reduce<string[]>((pieces, cut) => pieces.flatMap(cut), [text]);
}

function flatten(json: unknown): Rule[] {
  const parsed = ruleSchema.safeParse(json);
  if (!parsed.success) {
    const type = (json as { type?: unknown } | null)?.type;
    throw new PatternError(`pre_tokenizer ${JSON.stringify(type ?? json)} is not supported`);
  }
  const rule = parsed.data;
  return rule.type === 'Sequence' ? rule.pretokenizers.flatMap(flatten) : [rule];
}

function create(rule: Rule): PreTokenizer {
  switch (rule.type) {
    case 'Split': {
      const { pattern, behavior, invert } = rule;
      const matcher = 'Regex' in pattern ? portablePattern(pattern.Regex) : literalPattern(pattern.String);
      return (text) => split(text, matcher, behavior, invert);
    }
    case 'Digits':
      return characters(rangesOf('numeric')!, rule.individual_digits ? 'isolated' : 'contiguous');
    case 'Punctuation':
      return characters(rangesOf('punctuation')!, rule.behavior);
    case 'WhitespaceSplit':
      return characters(SPACE, 'removed');
    case 'ByteLevel': {
      const prefixed = (text: string) => (rule.add_prefix_space && !text.startsWith(' ') ? ` ${text}` : text);
      if (!rule.use_regex) return (text) => [prefixed(text)];
      const words = portablePattern(GPT2_WORDS);
      return (text) => split(prefixed(text), words, 'isolated', false);
    }
    default:
      throw new Error('a sequence is flat by now');
  }
}

function characters(ranges: readonly Range[], behavior: Behavior): PreTokenizer {
  const one = new RegExp(`[${classSource(union(ranges))}]`, 'gu');
  return (text) => split(text, one, behavior, false);
}

interface Span {
  readonly start: number;
  readonly end: number;
  readonly matched: boolean;
}

/** Matches and what lies between them, in order. */
function spansOf(text: string, pattern: RegExp, invert: boolean): Span[] {
  const spans: Span[] = [];
  let last = 0;
  // `matchAll` would make a RegExp of its own for every piece.
  pattern.lastIndex = 0;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const { index } = match;
    if (index > last) spans.push({ start: last, end: index, matched: invert });
    last = index + match[0].length;
    spans.push({ start: index, end: last, matched: !invert });
    if (last === index) pattern.lastIndex += 1;
  }
  if (last < text.length) spans.push({ start: last, end: text.length, matched: invert });
  return spans;
}

function split(text: string, pattern: RegExp, behavior: Behavior, invert: boolean): string[] {
  const spans = spansOf(text, pattern, invert);
  const pieces = behavior === 'mergedwithnext' ? mergedWithNext(spans) : merged(spans, behavior);
  return pieces.filter(({ start, end }) => end > start).map(({ start, end }) => text.slice(start, end));
}

interface Piece {
  start: number;
  end: number;
}

/** Where a span joins the piece before it: a first match in `mergedwithprevious`, one of the same kind in `contiguous`. */
function merged(spans: readonly Span[], behavior: Exclude<Behavior, 'mergedwithnext'>): Piece[] {
  const pieces: Piece[] = [];
  let previous = false;
  for (const { start, end, matched } of spans) {
    if (behavior === 'removed' && matched) continue;
    const joins =
      (behavior === 'mergedwithprevious' && matched && !previous) ||
      (behavior === 'contiguous' && matched === previous);
    const piece = joins ? pieces.at(-1) : undefined;
    if (piece) piece.end = end;
    else pieces.push({ start, end });
    previous = matched;
  }
  return pieces;
}

function mergedWithNext(spans: readonly Span[]): Piece[] {
  const pieces: Piece[] = [];
  let previous = false;
  for (const { start, end, matched } of spans.toReversed()) {
    const piece = matched && !previous ? pieces.at(-1) : undefined;
    if (piece) piece.start = start;
    else pieces.push({ start, end });
    previous = matched;
  }
  return pieces.reverse();
}
