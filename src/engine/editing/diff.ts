/** Writes a unified diff of an edit. */
import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff';

/** Lines around a change. */
const CONTEXT = 3;

/**
 * What `patch` and `git apply` take to turn one text into the other.
 * @param name stands for the file in both headers
 * @returns empty for equal texts
 */
export function unifiedDiff(before: string, after: string, name: string): string {
  if (before === after) return '';
  const options = { context: CONTEXT, headerOptions: FILE_HEADERS_ONLY };
  return createTwoFilesPatch(`a/${name}`, `b/${name}`, before, after, undefined, undefined, options);
}
