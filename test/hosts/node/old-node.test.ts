/** Where Node does not run TypeScript, the Node entry stops with one sentence. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ENTRY = fileURLToPath(new URL('../../../src/hosts/node/main.ts', import.meta.url));

/** A Node on the PATH that is too old; npm's scripts put the package `node` before it. */
function oldNode(): string | undefined {
  const nodes = (process.env.PATH ?? '').split(delimiter).map((directory) => join(directory, 'node'));
  const features = (node: string) => spawnSync(node, ['-p', '!process.features.typescript'], { encoding: 'utf8' });
  return nodes.find((node) => existsSync(node) && features(node).stdout === 'true\n');
}

function startUnder(node: string, options: readonly string[]) {
  const version = spawnSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8' }).stdout.trim();
  const { status, stdout, stderr } = spawnSync(node, [...options, ENTRY], { encoding: 'utf8' });
  return { version, status, stdout, stderr };
}

const sentence = (version: string) =>
  `Seedling needs Node 22.18 or later, which runs TypeScript, but this is Node ${version}; npm start brings its own.\n`;

test('a Node that is told to run no TypeScript', () => {
  const { version, ...ended } = startUnder(process.execPath, ['--no-strip-types']);
  expect(ended).toEqual({ status: 1, stdout: '', stderr: sentence(version) });
});

const old = oldNode();
if (old === undefined) console.warn('The Node entry is not tested under an old Node: there is none on the PATH.');

test.skipIf(old === undefined)('an old Node', () => {
  const { version, ...ended } = startUnder(old!, []);
  expect(ended).toEqual({ status: 1, stdout: '', stderr: sentence(version) });
});
