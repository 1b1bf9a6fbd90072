/** Where the Node host finds a model: in a directory, or on a server whose files it keeps. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { WeightSource } from '../../../model/weight-source.ts';
import { directorySource } from '../../../sources/directory.ts';
import { directoryStore } from '../../../sources/directory-store.ts';
import { httpSource } from '../../../sources/http.ts';
import { storedSource } from '../../../sources/stored.ts';
import { SettingsError } from '../../settings.ts';
import type { NodeSettings } from './settings.ts';

export function nodeSource(
  model: string,
  { weights: { from, at }, weightsCache }: Pick<NodeSettings, 'weights' | 'weightsCache'>,
): WeightSource {
  if (from === 'directory') return directorySource(join(at, model));
  const url = new URL(at);
  const place = [url.host, ...url.pathname.split('/')].filter(Boolean).map(encodeURIComponent);
  return storedSource(httpSource(at), directoryStore(join(weightsCache, ...place)), console.warn);
}

/** @throws SettingsError with the names of the models that are there, for one that is not. A server's models are not known. */
export async function requireModelDirectory(
  model: string,
  { weights: { from, at } }: Pick<NodeSettings, 'weights'>,
): Promise<void> {
  if (from !== 'directory') return;
  const exists = await stat(join(at, model)).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (exists) return;
  const files = await readdir(at, { recursive: true }).catch((): string[] => []);
  const models = files.flatMap((file) => /^([^/\\]+)[/\\]manifest\.json$/.exec(file)?.slice(1) ?? []).sort();
  const there = models.length === 0 ? 'there are none' : `there are ${models.join(', ')}`;
  throw new SettingsError(`Setting MODEL is ${model}, but ${at} has no model of that name: ${there}.`);
}
