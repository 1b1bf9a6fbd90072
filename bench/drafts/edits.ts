/** Predicted texts for edits: a text in which a tenth of the lines, or one a place at least, is another one. */
import { uniform } from '../../src/sampler/random.ts';

/** Share of the lines. */
const REPLACED = 0.1;

/**
 * The text as it may have been before an edit that gives it. The lines that differ stand in so many places, the places in
 * equal parts of the text; what stands in them are lines of other texts, with the indentation of their place.
 * @param others lines to choose from
 * @param seed the same seed gives the same lines in the same places
 */
export function beforeEdit(text: string, places: number, others: readonly string[], seed: number): string {
  const lines = text.split('\n');
  const each = Math.max(Math.round((lines.length * REPLACED) / places), 1);
  const part = lines.length / places;
  const old = [...lines];
  for (let place = 0; place < places; place++) {
    const free = Math.max(Math.floor(part) - each, 0);
    const start = Math.floor(place * part) + Math.floor(uniform(seed, place) * (free + 1));
    for (let line = start; line < Math.min(start + each, lines.length); line++) {
      const other = others[Math.floor(uniform(seed, place, line) * others.length)]!;
      old[line] = `${/^\s*/.exec(lines[line]!)![0]}${other.trim()}`;
    }
  }
  return old.join('\n');
}
