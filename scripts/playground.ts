/** Bundles `src/playground/` for the browser. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { createGzip } from 'node:zlib';
import { build, type Metafile } from 'esbuild';
import type { OfferedModel } from '../src/playground/shared/offered-model.ts';

const SOURCE = 'src/playground';
/** Largest file that Workers serve, in bytes. */
const LARGEST_ASSET = 25 * 1024 * 1024;

/** The build that `onnxruntime-web/webgpu` starts. It is larger than Workers serve, so the page gets it compressed. */
const ONNX_RUNTIME = 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm';

async function compress(from: string, to: string): Promise<void> {
  await pipeline(createReadStream(from), createGzip(), createWriteStream(to));
}

/**
 * Writes `index.html` and `service-worker.js` to `assets`, the rest to `assets/playground`.
 * @throws Error if a file is larger than Workers serve
 */
export async function buildPlayground(assets: string, models: readonly OfferedModel[]): Promise<void> {
  const common = { bundle: true, minify: true, target: 'es2023', logLevel: 'warning' } as const;
  const to = join(assets, 'playground');
  const { metafile } = await build({
    ...common,
    metafile: true,
    outdir: to,
    format: 'esm',
    // The page and its worker share chunks.
    splitting: true,
    entryPoints: {
      main: join(SOURCE, 'page/main.ts'),
      worker: join(SOURCE, 'worker/worker.ts'),
      thread: join(SOURCE, 'worker/thread.ts'),
      style: join(SOURCE, 'styles/style.css'),
    },
    chunkNames: 'chunk-[hash]',
  });
  await compress(fileURLToPath(import.meta.resolve(ONNX_RUNTIME)), join(to, 'onnxruntime.wasm.gz'));
  for (const kernels of await readdir('build')) await copyFile(join('build', kernels), join(to, kernels));
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
      PAGE_FILES: JSON.stringify(['/', ...offlineFiles(files, metafile, to).map((file) => `/playground/${file}`)]),
      PAGE_VERSION: JSON.stringify(hash.digest('hex').slice(0, 16)),
    },
  });
}

/** The files that every visit needs. ONNX Runtime is not one of them: it is kept after its first use. */
function offlineFiles(files: readonly string[], { outputs }: Metafile, directory: string): readonly string[] {
  const lazy = new Set(Object.keys(outputs));
  const need = (path: string) => {
    if (!lazy.delete(path)) return;
    for (const { path: next, kind } of outputs[path]?.imports ?? []) if (kind !== 'dynamic-import') need(next);
  };
  // An entry that another module imports is a chunk of its own.
  for (const [path, { entryPoint }] of Object.entries(outputs)) if (entryPoint?.startsWith(SOURCE)) need(path);
  const left = new Set([...lazy].map((path) => relative(directory, path)));
  return files.filter((file) => !left.has(file) && !file.endsWith('.gz'));
}
