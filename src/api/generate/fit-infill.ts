/** Cuts a hole's surroundings to the context. Editors send more than a small context takes. */
import type { Tokenizer } from '../../engine/tokenizer/tokenizer.ts';

export interface Surroundings {
  /** Other files, each a text, the most useful last. */
  readonly extra: readonly string[];
  readonly prefix: string;
  readonly suffix: string;
}

export interface Fitted {
  /** The other files that are kept, one after another. */
  readonly context: string;
  readonly prefix: string;
  readonly suffix: string;
  readonly truncated: boolean;
}

/** Share of the room that the suffix may take where the prefix wants the rest. */
const SUFFIX_SHARE = 0.25;
/** No line of code has more characters a token. */
const MOST_CHARACTERS_PER_TOKEN = 32;

/**
 * Keeps whole lines nearest to the hole: the beginning of the suffix, the end of the prefix, then as many of the other
 * files as there is room left for, from the last.
 * @param room tokens
 */
export function fitInfill({ extra, prefix, suffix }: Surroundings, room: number, tokenizer: Tokenizer): Fitted {
  const count = (text: string) => tokenizer.encode(text, 'content').length;
  const wholePrefix = cheapEnd(prefix, room);
  const prefixTokens = count(wholePrefix);
  const forSuffix = Math.max(Math.floor(room * SUFFIX_SHARE), room - prefixTokens);
  const keptSuffix = firstLines(suffix, Math.max(forSuffix, 0), count);
  let left = room - count(keptSuffix);
  const keptPrefix = lastLines(wholePrefix, Math.max(left, 0), count);
  left -= count(keptPrefix);
  const kept: string[] = [];
  for (const text of extra.toReversed()) {
    const tokens = text.length > left * MOST_CHARACTERS_PER_TOKEN ? Number.POSITIVE_INFINITY : count(text);
    if (tokens > left) break;
    left -= tokens;
    kept.unshift(text);
  }
  const truncated = keptPrefix !== prefix || keptSuffix !== suffix || kept.length < extra.length;
  return { context: kept.join(''), prefix: keptPrefix, suffix: keptSuffix, truncated };
}

function cheapEnd(text: string, room: number): string {
  return text.slice(-Math.max(room * MOST_CHARACTERS_PER_TOKEN, 1)).toWellFormed();
}

/** The longest end in whole lines; of a last line that is too long by itself, its end. */
function lastLines(text: string, room: number, count: (text: string) => number): string {
  if (count(text) <= room) return text;
  const starts = Array.from(text.matchAll(/\n/g), ({ index }) => index + 1);
  const fits = (start: number) => count(text.slice(start)) <= room;
  const start = firstThat(starts, fits);
  if (start !== undefined && start < text.length) return text.slice(start);
  const lastLine = text.slice(text.lastIndexOf('\n') + 1);
  const offsets = Array.from({ length: lastLine.length }, (_, i) => i);
  const from = firstThat(offsets, (offset) => count(lastLine.slice(offset).toWellFormed()) <= room);
  return from === undefined ? '' : lastLine.slice(from).toWellFormed();
}

/** The longest beginning in whole lines; nothing where the first is too long. */
function firstLines(text: string, room: number, count: (text: string) => number): string {
  const cheap = text.slice(0, room * MOST_CHARACTERS_PER_TOKEN).toWellFormed();
  if (cheap === text && count(text) <= room) return text;
  const ends = Array.from(cheap.matchAll(/\n/g), ({ index }) => index + 1).reverse();
  const end = firstThat(ends, (candidate) => count(cheap.slice(0, candidate)) <= room);
  return end === undefined ? '' : cheap.slice(0, end);
}

/** The first of a list that passes, where all after it do too: by bisection. */
function firstThat(list: readonly number[], passes: (value: number) => boolean): number | undefined {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (passes(list[middle]!)) high = middle;
    else low = middle + 1;
  }
  return list[low];
}
