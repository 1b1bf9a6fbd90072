/** transformers.js. npm installs it outside this repository, because it is 190 MB with onnxruntime-web. */
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cachePath, runCommand } from './cache.ts';

const FILES = ['package.json', 'package-lock.json'] as const;

/** Its `node_modules`, as package-lock.json beside this file fixes them. */
export async function transformersJsModules(): Promise<string> {
  const directory = cachePath('transformers-js');
  const modules = join(directory, 'node_modules');
  if (await isInstalled(directory, modules)) return modules;
  console.log('installing transformers.js with npm, outside the repository');
  await mkdir(directory, { recursive: true });
  for (const file of FILES) await copyFile(new URL(file, import.meta.url), join(directory, file));
  await runCommand('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], directory);
  return modules;
}

/** npm writes its own list into node_modules when an install is complete. */
async function isInstalled(directory: string, modules: string): Promise<boolean> {
  const text = (path: string | URL) => readFile(path, 'utf8').catch(() => null);
  if ((await text(join(modules, '.package-lock.json'))) === null) return false;
  for (const file of FILES) {
    if ((await text(join(directory, file))) !== (await text(new URL(file, import.meta.url)))) return false;
  }
  return true;
}
