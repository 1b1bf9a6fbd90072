/** Where the Node host finds a model: in a directory, or on a server whose files it keeps. */
import { join } from 'node:path';
import type { WeightSource } from '../../../model/weight-source.ts';
import { directorySource } from '../../../sources/directory.ts';
import { directoryStore } from '../../../sources/directory-store.ts';
import { httpSource } from '../../../sources/http.ts';
import { storedSource } from '../../../sources/stored.ts';
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
