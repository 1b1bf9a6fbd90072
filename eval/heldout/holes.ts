/** Holes in held-out code for infill, cut at the same boundaries as in training. */
import { uniform } from '../../src/sampler/random.ts';

export interface Hole {
  readonly prefix: string;
  readonly middle: string;
  readonly suffix: string;
}

/** The shortest line that becomes a hole, without its indentation. */
const LEAST_LINE = 8;
const MOST_WORDS = 24;

function cut(text: string, start: number, end: number): Hole {
  return { prefix: text.slice(0, start), middle: text.slice(start, end), suffix: text.slice(end) };
}

/** Only the middle half of a text gets holes, so that both sides have context. */
function central(text: string, at: number): boolean {
  return at >= text.length / 4 && at < (3 * text.length) / 4;
}

/** One line without its indentation and its line break, or null when the text has no line that is long enough. */
export function lineHole(text: string, seed: number): Hole | null {
  const lines = [...text.matchAll(/^([ \t]*)(\S.*)$/gm)].map((line) => {
    const start = line.index + line[1]!.length;
    return { start, end: start + line[2]!.trimEnd().length };
  });
  const candidates = lines.filter(({ start, end }) => end - start >= LEAST_LINE && central(text, start));
  const picked = candidates[Math.floor(uniform(seed, 0) * candidates.length)];
  return picked === undefined ? null : cut(text, picked.start, picked.end);
}

/** From the start of one word (or sign) to that of another, up to 24 further on; null when there are none. */
export function spanHole(text: string, seed: number): Hole | null {
  // Everywhere but between two word characters, as the recipe cuts its spans.
  const boundaries = [...text.matchAll(/(?<![\p{L}\p{N}])|(?![\p{L}\p{N}])/gu)].map(({ index }) => index);
  const first = boundaries.filter((at) => at > 0 && central(text, at));
  const start = first[Math.floor(uniform(seed, 0) * first.length)];
  if (start === undefined) return null;
  const after = boundaries.filter((at) => at > start && at < text.length);
  const end = after[Math.min(after.length - 1, Math.floor(uniform(seed, 1) * MOST_WORDS))];
  return end === undefined ? null : cut(text, start, end);
}
