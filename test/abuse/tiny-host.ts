/** The Node entry as it is started for real, over a random checkpoint with room for a stream of many seconds. */
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { convert } from '../../src/convert/convert.ts';
import { fixture } from '../support/engines/models.ts';
import type { ProcessHost } from '../support/hosts/bare-workerd.ts';
import { startNodeProcess } from '../support/hosts/node-process.ts';

const MODEL = 'tiny-llama';

/** A directory of models with one that never ends by itself for want of context. */
export async function tinyModels(): Promise<string> {
  const out = await mkdtemp(join(tmpdir(), 'seedling-models-'));
  await convert(fixture(MODEL), { name: MODEL, out, dtype: 'int8', embedding: 'int8', semantics: {} });
  const file = join(out, MODEL, 'config.json');
  await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), contextLength: 100_000 }));
  return out;
}

export function startTinyNode(models: string, port: number): Promise<ProcessHost> {
  const settings = { MODEL, MODELS_DIR: models, KV_TOKENS: '32768', MAX_TOKENS: '30000', RATE_LIMIT: '0' };
  return startNodeProcess('../../../src/hosts/node/main.ts', { ...settings, ACCESS: 'open', PORT: String(port) });
}
