/** The Node entry: environment, model files and kernels from disk meet the app here. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createApp } from './api/app.ts';
import { createHost } from './api/host.ts';
import { assembleEngine } from './assemble.ts';
import { directorySource } from './directory-source.ts';
import { withAssets } from './node-assets.ts';
import { onnxOnNode } from './node-onnx.ts';
import { startServer } from './node-server.ts';
import { readNodeSettings } from './node-settings.ts';
import { readSettings, SettingsError } from './settings.ts';

const GRACE_MS = 10_000;
/** What `npm run build` lays out: the playground, and the weights for pages that run it themselves. */
const ASSETS = fileURLToPath(new URL('../dist/assets', import.meta.url));

async function kernel(name: string): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await readFile(new URL(`../build/${name}`, import.meta.url)));
}

async function start(): Promise<void> {
  const settings = readSettings(process.env);
  const { port, host: hostname, modelsDirectory } = readNodeSettings(process.env);
  const host = createHost({
    modelName: settings.model,
    settings,
    load: async () =>
      assembleEngine({
        source: directorySource(join(modelsDirectory, settings.model)),
        kernels: { relaxed: await kernel('kernels-relaxed.wasm'), simd: await kernel('kernels-simd.wasm') },
        memoryBudgetBytes: settings.memoryBudgetBytes,
        kvTokens: settings.kvTokens,
        activations: settings.activations,
        prefixCache: settings.prefixCache,
        queue: settings.queue,
        onnx: onnxOnNode(settings),
      }),
  });
  const server = await startServer(withAssets(createApp(host), ASSETS), port, hostname);
  console.log(`Seedling serves ${settings.model} on http://${hostname}:${server.address.port}`);
  // A failed load is logged by the host, and the first request tries again.
  host.engine().catch(() => {});
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void server.stop(GRACE_MS));
}

start().catch((error: unknown) => {
  console.error(error instanceof SettingsError ? error.message : error);
  process.exitCode = 1;
});
