/** Names of files and directories that are being written, and the removal of those whose writer was killed. */
import { readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

/** Of another machine on a shared disk nobody here knows whether it still writes. After this time it does not. */
const LONGEST_WRITE_MS = 24 * 60 * 60 * 1000;
const NAME = /[.-]partial-(\d+)-(\w+)-/;
/** As earlier versions named them. */
const OLD_NAME = /\.partial$|^\..*-partial-/;

const here = hostname().replace(/\W/g, '_') || 'here';

/** A part of a name that says who writes: `partial-PID-HOST-`. */
export const PARTIAL = `partial-${process.pid}-${here}-`;

/** Removes from a directory what nobody writes any more. What cannot be removed stays. */
export async function removeAbandoned(directory: string): Promise<void> {
  const entries = await readdir(directory).catch((): string[] => []);
  for (const entry of entries) {
    const path = join(directory, entry);
    if (await isAbandoned(entry, path)) await rm(path, { recursive: true, force: true }).catch(() => {});
  }
}

async function isAbandoned(entry: string, path: string): Promise<boolean> {
  const [, pid, host] = NAME.exec(entry) ?? [];
  if (pid === undefined && !OLD_NAME.test(entry)) return false;
  if (host === here) return !isRunning(Number(pid));
  const written = await stat(path).catch(() => null);
  return written !== null && Date.now() - written.mtimeMs > LONGEST_WRITE_MS;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process may not be asked, but it runs.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
