/** A model that is converted already, as the source of another one with drafts. */
import { copyFile, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { manifestSchema } from '../../model/manifest.ts';
import { readModelConfig } from '../../model/weight-source.ts';
import { directorySource } from '../../sources/directory.ts';
import type { WrittenModel } from '../write/model-files.ts';

const tokenizerSchema = z.object({ added_tokens: z.array(z.object({ id: z.int(), content: z.string() })) });

export interface ConvertedSource extends WrittenModel {
  /** Text of the added tokens, by id. */
  readonly tokens: ReadonlyMap<number, string>;
  /** Copies everything but config.json and manifest.json. */
  copyTo(directory: string): Promise<void>;
}

export async function isConverted(source: string): Promise<boolean> {
  const found = await stat(join(source, 'manifest.json')).catch(() => undefined);
  return found?.isFile() === true;
}

/** @param name of the new model. @throws ModelLoadError or ZodError where its files are no model's */
export async function openConverted(source: string, name: string): Promise<ConvertedSource> {
  const files = directorySource(source);
  const config = { ...(await readModelConfig(files)), name };
  const { shards, tensors } = manifestSchema.parse(await files.json('manifest.json'));
  const { added_tokens } = tokenizerSchema.parse(JSON.parse(await readFile(join(source, 'tokenizer.json'), 'utf8')));
  return {
    config,
    shards,
    tensors,
    tokens: new Map(added_tokens.map(({ id, content }) => [id, content])),
    async copyTo(directory) {
      for (const file of [...shards.map(({ file }) => file), 'tokenizer.json']) {
        await copyFile(join(source, file), join(directory, file));
      }
    },
  };
}
