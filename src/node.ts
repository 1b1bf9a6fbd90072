/** The Node entry: environment, model files and kernels from disk meet the app here. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Drain } from './api/drain.ts';
import { createHost } from './api/host.ts';
import { assembleEngine } from './assemble.ts';
import { startServer } from './node-server.ts';
import { createNodeService } from './node-service.ts';
import { type NodeSettings, readNodeSettings, withAccess } from './node-settings.ts';
import { stopOnSignals } from './node-stop.ts';
import { readSettings, SettingsError } from './settings.ts';
import { directorySource } from './sources/directory.ts';
import { httpSource } from './sources/http.ts';

async function kernel(name: string): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await readFile(new URL(`../build/${name}`, import.meta.url)));
}

function sourceOf({ from, at }: NodeSettings['weights'], model: string) {
  return from === 'https' ? httpSource(at) : directorySource(join(at, model));
}

async function start(): Promise<void> {
  const node = readNodeSettings(process.env);
  const settings = readSettings(withAccess(process.env));
  const source = sourceOf(node.weights, settings.model);
  const host = createHost({
    modelName: settings.model,
    settings,
    load: async () =>
      assembleEngine({
        source,
        kernels: { relaxed: await kernel('kernels-relaxed.wasm'), simd: await kernel('kernels-simd.wasm') },
        memoryBudgetBytes: settings.memoryBudgetBytes,
        kvTokens: settings.kvTokens,
        activations: settings.activations,
        prefixCache: settings.prefixCache,
        queue: settings.queue,
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
