/** The base model as Q4_0, made once from its Q4_1 file with the `gguf` package. */
import { existsSync } from 'node:fs';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cachePath, runCommand } from '../../../cache.ts';
import { baseGguf } from '../base-gguf.ts';

const PACKAGE = 'gguf==0.19.0';

/** Path of the file (78 MB). Every matrix is Q4_0, the embedding too: that decodes fastest. */
export async function q4Gguf(): Promise<string> {
  const target = cachePath('base', 'SmolLM2-135M-Instruct.Q4_0.gguf');
  if (existsSync(target)) return target;
  const source = await baseGguf();
  console.log(`rounding the base model to Q4_0 for native llama.cpp, once, with ${PACKAGE}`);
  const scratch = await mkdtemp(cachePath('base', 'q4-0-'));
  try {
    await runCommand('python3', ['-m', 'venv', join(scratch, 'environment')]);
    const python = join(scratch, 'environment', 'bin', 'python');
    await runCommand(python, ['-m', 'pip', 'install', '-q', PACKAGE]);
    const made = join(scratch, 'q4_0.gguf');
    await runCommand(python, [new URL('q4_0.py', import.meta.url).pathname, source, made]);
    // Only a whole file gets the name that later runs look for.
    await rename(made, target);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return target;
}
