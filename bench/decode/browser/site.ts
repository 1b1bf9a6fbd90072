/** A local server of the files that the pages of the decode bench load: their bundles, the models and the peers' files. */
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { serve } from '@hono/node-server';
import { serveStatic } from '@hono/node-server/serve-static';
import { build } from 'esbuild';
import { Hono } from 'hono';

export interface PeerFiles {
  /** The GGUF file of the base model. */
  readonly gguf: string;
  /** The ONNX model's directory and the `node_modules` of transformers.js; null leaves that peer out. */
  readonly transformersJs: { readonly model: string; readonly modules: string } | null;
}

export interface BenchSite {
  readonly url: URL;
  stop(): Promise<void>;
}

export async function startSite(files: PeerFiles): Promise<BenchSite> {
  const bundles = await mkdtemp(join(tmpdir(), 'seedling-bench-'));
  const wllama = dirname(new URL(import.meta.resolve('@wllama/wllama')).pathname);
  const common = { bundle: true, format: 'esm', logLevel: 'error' } as const;
  const page = (name: string) => new URL(`${name}-page.ts`, import.meta.url).pathname;
  await build({
    ...common,
    outdir: bundles,
    entryPoints: { seedling: page('seedling'), wllama: page('wllama'), 'transformers-js': page('transformers-js') },
    external: ['/transformers.js'],
  });

  const app = new Hono();
  const directory = (prefix: string, root: string) =>
    app.get(`${prefix}/*`, serveStatic({ root, rewriteRequestPath: (path) => path.slice(prefix.length) }));
  // No cross-origin isolation headers: without shared memory nothing can start threads.
  app.get('/:page{[a-z-]+\\.html}', (context) =>
    context.html(
      `<!doctype html><script type="module" src="/${context.req.param('page').replace('.html', '.js')}"></script>`,
    ),
  );
  app.get('/base.gguf', serveStatic({ path: files.gguf }));
  directory('/models', 'models');
  directory('/build', 'build');
  directory('/wllama', join(wllama, 'wasm'));
  if (files.transformersJs) {
    const { model, modules } = files.transformersJs;
    await build({
      ...common,
      stdin: { contents: "export * from '@huggingface/transformers';", resolveDir: dirname(modules) },
      outfile: join(bundles, 'transformers.js'),
      platform: 'browser',
    });
    directory('/onnx', dirname(model));
    directory('/onnxruntime', join(modules, 'onnxruntime-web', 'dist'));
  }
  app.get('/*', serveStatic({ root: bundles }));

  const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 });
  await new Promise<void>((resolve) => server.once('listening', resolve));
  return {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    async stop() {
      server.close();
      await rm(bundles, { recursive: true, force: true });
    },
  };
}
