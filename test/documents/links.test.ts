/** Every relative link and every path that a document names leads somewhere. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { anchors, codeSpans, prose } from './markdown.ts';

/** `models/recipe/LOG.md` is a record: it keeps the names of its time. */
const RECORDS = ['models/recipe/LOG.md'];
const DOCUMENTS = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.md'], { encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '' && !RECORDS.includes(file) && existsSync(file));

/** The beginnings of a path of this repository. */
const OWN_PATH = /^(src|wasm|test|bench|eval|scripts|docs|models|build|dist|\.ci)\/[\w./-]*$/;
/** What only a build makes. */
const BUILT = /^(build|dist)\//;
/** Names that stand for any. */
const PLACEHOLDER = /NAME|DIR|FOLDER/;

test('the documents of the issue are there', () => {
  const pages = ['architecture', 'api', 'settings', 'deploy', 'runtimes', 'checkpoints', 'measurements', 'clients'];
  const expected = [
    'README.md',
    'CONTRIBUTING.md',
    'CHANGELOG.md',
    'SECURITY.md',
    ...pages.map((page) => `docs/${page}.md`),
  ];
  expect(DOCUMENTS).toEqual(expect.arrayContaining(expected));
});

test('the README has at most 150 lines', () => {
  expect(readFileSync('README.md', 'utf8').trimEnd().split('\n').length).toBeLessThanOrEqual(150);
});

describe.each(DOCUMENTS)('%s', (file) => {
  const text = readFileSync(file, 'utf8');

  test('links lead to files and headings that are there', () => {
    const links = Array.from(prose(text).matchAll(/\]\(([^)\s]+)\)/g), ([, link = '']) => link);
    for (const link of links.filter((link) => !/^[a-z]+:/.test(link))) {
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? file : join(dirname(file), path);
      expect(existsSync(target), link).toBe(true);
      if (anchor !== undefined) expect(anchors(readFileSync(target, 'utf8')), link).toContain(anchor);
    }
  });

  test('paths are there', () => {
    for (const path of codeSpans(text)) {
      if (!OWN_PATH.test(path) || BUILT.test(path) || PLACEHOLDER.test(path)) continue;
      expect(existsSync(path), path).toBe(true);
    }
  });
});

test('two hops from the README answer what a newcomer asks', () => {
  const readme = readFileSync('README.md', 'utf8');
  const pages = ['docs/architecture.md', 'CONTRIBUTING.md'];
  for (const page of pages) expect(readme).toContain(`](${page})`);
  const [architecture = '', contributing = ''] = pages.map((page) => readFileSync(page, 'utf8'));
  expect(architecture).toMatch(/stop string applied\? \| .*`src\/engine\/generation\/stop-strings\.ts`/);
  expect(architecture).toMatch(/default threshold\? \| .*`src\/sampler\/policies\/confidence\.ts`/);
  expect(architecture).toMatch(/memory taken and freed\? \| .*`src\/engine\/admitted\.ts`/);
  expect(contributing).toMatch(/^## Add an endpoint$/m);
});
