/** The folder of everything that the benches fetch and make: SEEDLING_CACHE, shared with the training recipe. */
import { spawn } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';

export function cachePath(...parts: readonly string[]): string {
  return join(process.env.SEEDLING_CACHE ?? join(homedir(), '.cache', 'seedling'), ...parts);
}

/** Runs a command to its end. @throws Error with the end of its output */
export async function runCommand(command: string, args: readonly string[], cwd?: string): Promise<void> {
  const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let words = '';
  const listen = (chunk: Buffer) => {
    words = (words + chunk).slice(-2000);
  };
  child.stdout.on('data', listen);
  child.stderr.on('data', listen);
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with status ${status}: ${words.trim()}`);
}
