/** config.json and manifest.json: what a model directory says of itself. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelConfig } from '../../model/config.ts';
import { MANIFEST_FORMAT } from '../../model/manifest.ts';
import type { PlannedTensor } from './layout.ts';
import type { ShardEntry } from './shard-writer.ts';

/** A model whose shards are written. */
export interface WrittenModel {
  readonly config: ModelConfig;
  readonly shards: readonly ShardEntry[];
  readonly tensors: readonly PlannedTensor[];
}

export async function writeModelFiles(directory: string, { config, shards, tensors }: WrittenModel): Promise<void> {
  const manifest = { format: MANIFEST_FORMAT, shards, tensors };
  await writeFile(join(directory, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
  await writeFile(join(directory, 'manifest.json'), `${JSON.stringify(manifest)}\n`);
}
