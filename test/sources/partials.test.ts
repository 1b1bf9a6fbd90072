/** What killed processes leave is removed by the next one, and what is in use stays. */
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { replaceModel } from '../../src/convert/write/output-directory.ts';
import { directoryStore } from '../../src/sources/directory-store.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'seedling-partials-'));
});
afterEach(() => rm(directory, { recursive: true }));

const host = hostname().replace(/\W/g, '_');
/** Of a process that has ended. */
const dead = spawnSync(process.execPath, ['-e', '']).pid;

test('a conversion removes directories of killed ones', async () => {
  const inUse = [`.tiny-partial-${process.pid}-${host}-abc`, `.tiny-partial-${dead}-elsewhere-abc`, 'other'];
  const left = [`.tiny-partial-${dead}-${host}-abc`, '.other-partial-x1Y2z3', `.tiny-partial-${dead}-faraway-abc`];
  for (const name of [...inUse, ...left]) {
    await mkdir(join(directory, name));
    await writeFile(join(directory, name, 'weights-000.bin'), 'x');
  }
  const longAgo = new Date(Date.now() - 25 * 60 * 60 * 1000);
  for (const name of left.slice(1)) await utimes(join(directory, name), longAgo, longAgo);
  await replaceModel(directory, 'tiny', (partial) => writeFile(join(partial, 'manifest.json'), '{}'));
  expect((await readdir(directory)).sort()).toEqual([...inUse, 'tiny'].sort());
});

test('a store removes files of killed downloads before it writes its first', async () => {
  const inUse = `weights-001.bin.partial-${process.pid}-${host}-abc`;
  const left = `weights-000.bin.partial-${dead}-${host}-abc`;
  for (const name of [inUse, left]) await writeFile(join(directory, name), 'x');
  const copy = await directoryStore(directory).create('weights-000.bin');
  await copy.write(new Uint8Array([1]));
  await copy.keep();
  expect((await readdir(directory)).sort()).toEqual(['weights-000.bin', inUse]);
});
