/** lefthook's own script would write the hooks at every `npm install`. `allowScripts` stops it; npm before 11.16 does not read that. */
import { execFile } from 'node:child_process';
import { access, copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
// In CI lefthook's script does nothing of itself, so that the test could not fail.
const { CI: _ci, LEFTHOOK: _lefthook, INIT_CWD: _cwd, ...environment } = process.env;
const { allowScripts, devDependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'));

let clone: string;
beforeAll(async () => {
  clone = await mkdtemp(join(tmpdir(), 'seedling-hooks-'));
  await run('git', 'init', '--quiet');
  for (const file of ['.npmrc', 'lefthook.yml']) await copyFile(join(ROOT, file), join(clone, file));
});
afterAll(() => rm(clone, { recursive: true, force: true }));

async function run(command: string, ...args: string[]): Promise<void> {
  await promisify(execFile)(command, args, { cwd: clone, env: environment });
}

/** With one development package of many: the others take a minute. */
async function install(allowed: Record<string, boolean>): Promise<void> {
  const manifest = { private: true, devDependencies: { lefthook: devDependencies.lefthook }, allowScripts: allowed };
  await writeFile(join(clone, 'package.json'), JSON.stringify(manifest));
  await rm(join(clone, 'node_modules'), { recursive: true, force: true });
  await run('npm', 'install');
}

const hook = () => access(join(clone, '.git/hooks/pre-commit'));

test('npm install writes no hook', async () => {
  await install(allowScripts);
  await expect(hook()).rejects.toThrow('ENOENT');
});

test('npx lefthook install does', async () => {
  await run('npx', '--no-install', 'lefthook', 'install');
  await hook();
  await run('npx', '--no-install', 'lefthook', 'uninstall');
  await expect(hook()).rejects.toThrow('ENOENT');
});

test('without allowScripts npm install would', async () => {
  await install({ lefthook: true });
  await hook();
});
