/** Bundles `src/playground/` for the browser. */
import { createHash } from 'node:crypto';
import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { OfferedModel } from '../src/playground/shared/offered-model.ts';

const SOURCE = 'src/playground';
/** Of a Workers asset. */
const LARGEST_ASSET = 25 * 1024 * 1024;

/**
 * Writes `index.html` and `service-worker.js` to `assets`, the rest to `assets/playground`.
 * @throws Error when a file is larger than Workers serve
 */
export async function buildPlayground(assets: string, models: readonly OfferedModel[]): Promise<void> {
  const common = { bundle: true, minify: true, target: 'es2023', logLevel: 'warning' } as const;
  const to = join(assets, 'playground');
  await build({
    ...common,
    outdir: to,
    format: 'esm',
    // The page and its worker share what both need.
    splitting: true,
    entryPoints: {
      main: join(SOURCE, 'page/main.ts'),
      worker: join(SOURCE, 'worker/worker.ts'),
      style: join(SOURCE, 'styles/style.css'),
    },
    chunkNames: 'chunk-[hash]',
  });
  for (const kernels of ['kernels-relaxed.wasm', 'kernels-simd.wasm']) {
    await copyFile(join('build', kernels), join(to, kernels));
  }
  await writeFile(join(to, 'models.json'), JSON.stringify(models));
  await copyFile(join(SOURCE, 'index.html'), join(assets, 'index.html'));

  const files = (await readdir(to)).sort();
  const hash = createHash('sha256');
  for (const path of ['index.html', ...files.map((file) => join('playground', file))]) {
    const bytes = await readFile(join(assets, path));
    if (bytes.length > LARGEST_ASSET)
      throw new Error(`${path} has ${bytes.length} bytes, Workers serve 25 MiB at most`);
    hash.update(bytes);
  }
  await build({
    ...common,
    format: 'iife',
    entryPoints: { 'service-worker': join(SOURCE, 'worker/service-worker.ts') },
    outdir: assets,
    define: {
      PAGE_FILES: JSON.stringify(['/', ...files.map((file) => `/playground/${file}`)]),
      PAGE_VERSION: JSON.stringify(hash.digest('hex').slice(0, 16)),
    },
  });
}
