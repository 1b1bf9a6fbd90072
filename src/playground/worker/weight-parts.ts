/**
 * Keeps the beginnings of shards that have not come whole. They are in OPFS, because Cache Storage takes only whole
 * files.
 */
import type { PartStore } from '../../sources/continued.ts';
import { opfsPartials } from '../../sources/opfs-partials.ts';

const DIRECTORY = 'seedling-weights';

/**
 * @param wanted names of the model's parts. Others belong to older versions and are removed
 * @returns a store that keeps nothing, and says so, where the browser has no OPFS
 */
export async function openParts(model: string, wanted: ReadonlySet<string>): Promise<PartStore> {
  try {
    const root = await navigator.storage.getDirectory();
    const all = await root.getDirectoryHandle(DIRECTORY, { create: true });
    const own = await all.getDirectoryHandle(model, { create: true });
    // A part that another page is writing cannot be removed, and stays.
    for await (const name of own.keys()) if (!wanted.has(name)) await own.removeEntry(name).catch(console.warn);
    return opfsPartials(own);
  } catch (error) {
    return { open: () => Promise.reject(error) };
  }
}
