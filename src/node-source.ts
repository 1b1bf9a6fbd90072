/** Where the Node host finds a model: a directory, or a server whose files it keeps. */
import { join } from 'node:path';
import { directorySource } from './directory-source.ts';
import type { WeightSource } from './model/weight-source.ts';
import type { NodeSettings } from './node-settings.ts';
import { directoryStore } from './sources/directory-store.ts';
import { httpSource } from './sources/http.ts';
import { storedSource } from './sources/stored.ts';

export function nodeSource(
  model: string,
  { modelsDirectory, modelUrl, weightsCache }: Pick<NodeSettings, 'modelsDirectory' | 'modelUrl' | 'weightsCache'>,
): WeightSource {
  if (modelUrl === null) return directorySource(join(modelsDirectory, model));
  const place = [modelUrl.host, ...modelUrl.pathname.split('/')].filter(Boolean).map(encodeURIComponent);
  return storedSource(httpSource(modelUrl.href), directoryStore(join(weightsCache, ...place)), console.warn);
}
