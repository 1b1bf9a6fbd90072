/**
 * Puts a finished model in place. As long as a manifest.json is there, everything that it names is there. So files are
 * made in a neighbouring directory. The manifest is the first file to leave with an old model and the last to arrive
 * with a new one.
 */
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PARTIAL, removeAbandoned } from '../../sources/partials.ts';

const MANIFEST = 'manifest.json';
const SHARD = /^(weights|drafts)-\d+\.bin$/;

/**
 * Runs `fill` with an empty directory, then moves its files to `out/name`, where other files (a model card) stay.
 * If `fill` throws, `out/name` is as it was. What a killed conversion left in `out` is removed.
 */
export async function replaceModel(
  out: string,
  name: string,
  fill: (directory: string) => Promise<void>,
): Promise<string> {
  await mkdir(out, { recursive: true });
  await removeAbandoned(out);
  const partial = await mkdtemp(join(out, `.${name}-${PARTIAL}`));
  try {
    await fill(partial);
    const target = join(out, name);
    await mkdir(target, { recursive: true });
    await rm(join(target, MANIFEST), { force: true });
    for (const file of await readdir(target)) if (SHARD.test(file)) await rm(join(target, file));
    const files = (await readdir(partial)).filter((file) => file !== MANIFEST);
    for (const file of [...files, MANIFEST]) await rename(join(partial, file), join(target, file));
    return target;
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}
