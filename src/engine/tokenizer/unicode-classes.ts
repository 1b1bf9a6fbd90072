/** Character classes as the Rust tokenizers have them, whatever Unicode version the JavaScript host has. */
import { UNICODE_TABLES } from './unicode-tables.ts';

/** First and last code point. */
export type Range = readonly [first: number, last: number];

type TableName = keyof typeof UNICODE_TABLES;

const LAST_CODE_POINT = 0x10ffff;
/** The tables whose names are not general categories. */
const RULES: readonly string[] = ['space', 'numeric', 'punctuation', 'inert'];

function unpack(table: string): Range[] {
  let last = 0;
  return table.split(' ').map((word) => {
    const [gap, length = 0] = word.split('-').map((part) => Number.parseInt(part, 36));
    const first = last + gap!;
    last = first + length;
    return [first, last];
  });
}

const unpacked = new Map<string, readonly Range[]>();

/**
 * @param name `space`, `numeric`, `punctuation` or `inert`; or a general category, or the first letter of several
 * @returns null for a class that has no table; `C` is without the code points that are not assigned
 */
export function rangesOf(name: string): readonly Range[] | null {
  const known = unpacked.get(name);
  if (known !== undefined) return known;
  const names = (Object.keys(UNICODE_TABLES) as TableName[]).filter(
    (table) => table === name || (name.length === 1 && table.startsWith(name) && !RULES.includes(table)),
  );
  if (names.length === 0) return null;
  const ranges = union(names.flatMap((table) => unpack(UNICODE_TABLES[table])));
  unpacked.set(name, ranges);
  return ranges;
}

/** Sorted, without overlaps. */
export function union(ranges: readonly Range[]): Range[] {
  const merged: [number, number][] = [];
  for (const [first, last] of ranges.toSorted(([a], [b]) => a - b)) {
    const end = merged.at(-1);
    if (end !== undefined && first <= end[1] + 1) end[1] = Math.max(end[1], last);
    else merged.push([first, last]);
  }
  return merged;
}

/** Every code point outside of them. @param ranges sorted, without overlaps */
export function complement(ranges: readonly Range[]): Range[] {
  const gaps: Range[] = [];
  let next = 0;
  for (const [first, last] of ranges) {
    if (first > next) gaps.push([next, first - 1]);
    next = last + 1;
  }
  if (next <= LAST_CODE_POINT) gaps.push([next, LAST_CODE_POINT]);
  return gaps;
}

/** As the inside of a class of a RegExp with the flag `u`. */
export function classSource(ranges: readonly Range[]): string {
  const point = (code: number) => `\\u{${code.toString(16)}}`;
  return ranges.map(([first, last]) => (first === last ? point(first) : `${point(first)}-${point(last)}`)).join('');
}

/** White space, as Rust and Oniguruma both have it. */
export const SPACE: readonly Range[] = rangesOf('space')!;
