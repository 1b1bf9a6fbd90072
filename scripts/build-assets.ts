/** Lays out `dist/assets/`, which Workers serve: model directories under `/models/<name>/`, the API reference under `/docs/`. */
import { copyFile, link, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MANIFEST_FORMAT } from '../src/model/manifest.ts';

const ASSETS = 'dist/assets';

await rm(ASSETS, { recursive: true, force: true });
await mkdir(join(ASSETS, 'models'), { recursive: true });
for (const entry of await readdir('models', { withFileTypes: true })) {
  if (!entry.isDirectory()) continue;
  const from = join('models', entry.name);
  const manifest = JSON.parse(await readFile(join(from, 'manifest.json'), 'utf8').catch(() => '{}'));
  if (manifest.format !== MANIFEST_FORMAT) continue;
  const shards: string[] = manifest.shards.map((shard: { file: string }) => shard.file);
  const to = join(ASSETS, 'models', entry.name);
  await mkdir(to, { recursive: true });
  for (const file of ['config.json', 'tokenizer.json', 'manifest.json', ...shards]) {
    // A link costs no copy of 76 MB; across file systems there is no linking.
    await link(join(from, file), join(to, file)).catch(() => copyFile(join(from, file), join(to, file)));
  }
}

const docs = join(ASSETS, 'docs');
await mkdir(docs);
for (const file of await readdir('docs/reference')) await copyFile(join('docs/reference', file), join(docs, file));
for (const file of ['swagger-ui-bundle.js', 'swagger-ui.css', 'LICENSE', 'NOTICE']) {
  await copyFile(join('node_modules/swagger-ui-dist', file), join(docs, file));
}
