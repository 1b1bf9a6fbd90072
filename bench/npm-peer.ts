/** Peers from npm. Each is installed on first use, in a folder of its own outside this repository, without install scripts. */
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cachePath, runCommand } from './cache.ts';

const FILES = ['package.json', 'package-lock.json'] as const;

/**
 * `node_modules` of a peer, as the lock in `locks` fixes it. Optional dependencies are left out, because native peers have
 * a binary of hundreds of MB for each kind of GPU.
 * @param name folder in the cache
 * @param locks the folder of package.json and package-lock.json; ends in a slash
 * @throws Error with npm's words, for example where the peer has no binary for this machine
 */
export async function npmPeer(name: string, locks: URL): Promise<string> {
  const directory = cachePath(name);
  const modules = join(directory, 'node_modules');
  if (await isInstalled(directory, modules, locks)) return modules;
  console.log(`installing ${name} with npm, outside the repository`);
  await mkdir(directory, { recursive: true });
  for (const file of FILES) await copyFile(new URL(file, locks), join(directory, file));
  const quiet = ['--no-audit', '--no-fund'];
  await runCommand('npm', ['ci', '--ignore-scripts', '--omit=optional', ...quiet], directory);
  return modules;
}

/** npm writes its own list into node_modules when an install is complete. */
async function isInstalled(directory: string, modules: string, locks: URL): Promise<boolean> {
  const text = (path: string | URL) => readFile(path, 'utf8').catch(() => null);
  if ((await text(join(modules, '.package-lock.json'))) === null) return false;
  for (const file of FILES) {
    if ((await text(join(directory, file))) !== (await text(new URL(file, locks)))) return false;
  }
  return true;
}
