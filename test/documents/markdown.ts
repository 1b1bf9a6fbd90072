/** Reads Markdown as far as the tests of the documents need it. */
import { readFileSync } from 'node:fs';

/** Cells of a row, without the borders. */
function cells(line: string): string[] {
  const inner = line.replace(/^\| ?/, '').replace(/ ?\|$/, '');
  return inner.split(/ ?(?<!\\)\| ?/);
}

/**
 * The rows of a table, its heading and the line below left out.
 * @param start how the table's heading begins
 * @throws Error when no such table is there
 */
export function tableOf(file: string, start: string): string[][] {
  const [, , ...rows] = wholeTableOf(file, start);
  return rows;
}

/** The same with its heading and the line below. */
export function wholeTableOf(file: string, start: string): string[][] {
  const lines = readFileSync(file, 'utf8').split('\n');
  const first = lines.findIndex((line) => line.startsWith(start));
  if (first < 0) throw new Error(`${file} has no table that begins with ${start}`);
  const length = lines.slice(first).findIndex((line) => !line.startsWith('|'));
  return lines.slice(first, first + length).map(cells);
}

/** A text without its fenced blocks. */
export function prose(text: string): string {
  return text.replace(/^```[\s\S]*?^```$/gm, '');
}

/** Texts in backticks. */
export function codeSpans(text: string): string[] {
  return Array.from(prose(text).matchAll(/`([^`\n]+)`/g), ([, code = '']) => code);
}

/** Anchors that a page's headings have, as GitHub makes them. */
export function anchors(text: string): string[] {
  return Array.from(prose(text).matchAll(/^#+ (.+)$/gm), ([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}
