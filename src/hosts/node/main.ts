/** The Node entry. It puts the app together from the environment, model files and kernels on disk. */
import { readFile } from 'node:fs/promises';
import { createHost } from '../../api/host.ts';
import { Drain } from '../../api/middleware/drain.ts';
import { assembleEngine } from '../assemble.ts';
import { readSettings, SettingsError } from '../settings.ts';
import { onnxOnNode } from './onnx.ts';
import { progressLine } from './progress.ts';
import { startServer } from './server.ts';
import { createNodeService } from './service.ts';
import { readNodeSettings, withAccess } from './settings.ts';
import { nodeSource } from './source.ts';
import { stopOnSignals } from './stop.ts';
import { nodeThreads } from './threads.ts';

async function kernel(name: string): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await readFile(new URL(`../../../build/${name}`, import.meta.url)));
}

async function start(): Promise<void> {
  const node = readNodeSettings(process.env);
  const settings = readSettings(withAccess(process.env));
  const onnx = onnxOnNode(settings);
  const source = nodeSource(settings.model, node);
  const shared = node.threads > 1 ? '-shared.wasm' : '.wasm';
  const host = createHost({
    modelName: settings.model,
    settings,
    load: async () =>
      assembleEngine({
        source,
        onProgress: progressLine(`Loading ${settings.model}`),
        kernels: { relaxed: await kernel(`kernels-relaxed${shared}`), simd: await kernel(`kernels-simd${shared}`) },
        threads: node.threads > 1 ? nodeThreads(node.threads) : undefined,
        memoryBudgetBytes: settings.memoryBudgetBytes,
        kvTokens: settings.kvTokens,
        activations: settings.activations,
        prefixCache: settings.prefixCache,
        queue: settings.queue,
        onnx,
      }),
  });
  const drain = new Drain();
  const service = createNodeService(host, settings, source, node.addressHeader, drain);
  const server = await startServer(service, node.port, node.host);
  const who = settings.access.open ? 'everybody' : 'callers with a key';
  console.log(`Seedling serves ${settings.model} on http://${node.host}:${server.address.port}, to ${who}`);
  // A failed load is logged by the host, and the first request tries again.
  host.engine().catch(() => {});
  stopOnSignals(server, drain, node.graceSeconds);
}

start().catch((error: unknown) => {
  console.error(error instanceof SettingsError ? error.message : error);
  process.exitCode = 1;
});
