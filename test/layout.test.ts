/** The shape of `src/`: small files, few to a folder, one home for a name. */
import { globSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

const FILES_PER_FOLDER = 20;
const LINES_PER_FILE = 350;
/** Places where a missing number counts as 0. Elsewhere that would hide a wrong index. */
const NUMBERS_THAT_MAY_BE_MISSING = 10;

const ROOT = resolve(import.meta.dirname, '..');
const all = globSync('src/**/*', { withFileTypes: true, cwd: ROOT })
  .filter((entry) => entry.isFile())
  .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)));
const texts = await Promise.all(
  all
    .filter((path) => path.endsWith('.ts'))
    .map(async (path) => [path, await readFile(join(ROOT, path), 'utf8')] as const),
);

/** How often each value stands in `values`. */
function counted(values: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

test('src/ has folders and no loose files', () => {
  expect(texts.length).toBeGreaterThan(200);
  expect(texts.filter(([path]) => dirname(path) === 'src')).toEqual([]);
});

test(`no folder of src/ has more than ${FILES_PER_FOLDER} files`, () => {
  const folders = counted(all.map((path) => dirname(path)));
  expect([...folders].filter(([, files]) => files > FILES_PER_FOLDER)).toEqual([]);
});

test(`no file of src/ has more than ${LINES_PER_FILE} lines`, () => {
  const lines = texts.map(([path, text]) => [path, text.split('\n').length - 1] as const);
  expect(lines.filter(([, count]) => count > LINES_PER_FILE)).toEqual([]);
});

test('an exported name is declared in one file of src/', () => {
  const declaration = /^export (?:abstract )?(?:async )?(?:function\*?|class|const|let|interface|type|enum) (\w+)/gm;
  // An overload is a second declaration in the same file.
  const names = texts.flatMap(([, text]) => [...new Set([...text.matchAll(declaration)].map(([, name]) => name!))]);
  expect(names).toContain('SettingsError');
  const twice = [...counted(names)].filter(([, files]) => files > 1).map(([name]) => name);
  expect(twice).toEqual([]);
});

test('what a class keeps to itself is #private', () => {
  // JavaScript has no other way to hide a constructor.
  const members = texts.flatMap(([path, text]) =>
    text
      .split('\n')
      .filter((line) => /^\s*private (?!constructor\()|\(private readonly /.test(line))
      .map((line) => [path, line]),
  );
  expect(members).toEqual([]);
});

test(`at most ${NUMBERS_THAT_MAY_BE_MISSING} missing numbers count as 0, each with its reason on the line before`, () => {
  const places = texts.flatMap(([path, text]) => {
    const lines = text.split('\n');
    return lines.flatMap((line, i) => (/\?\? 0\b/.test(line) ? [{ path, line, before: lines[i - 1]! }] : []));
  });
  expect(places.length).toBeLessThanOrEqual(NUMBERS_THAT_MAY_BE_MISSING);
  expect(places.filter(({ before }) => !/^\s*\/\/ /.test(before))).toEqual([]);
});
