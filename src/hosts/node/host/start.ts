/** Puts the Node host together from the environment, and from model files and kernels on disk. */
import { readFile } from 'node:fs/promises';
import { createHost } from '../../../api/host.ts';
import { Drain } from '../../../api/middleware/drain.ts';
import type { KernelModules } from '../../../kernels/kernels.ts';
import { ModelLoadError } from '../../../model/errors.ts';
import { readModelConfig } from '../../../model/weight-source.ts';
import { assembleEngine } from '../../assemble.ts';
import { type Capacity, type CapacityOptions, capacityLine, loadCapacity, settleCapacity } from '../../capacity.ts';
import { givenSizes, readSettings, SettingsError } from '../../settings.ts';
import { onnxOnNode } from './onnx.ts';
import { progressLine } from './progress.ts';
import { startServer } from './server.ts';
import { createNodeService } from './service.ts';
import { readNodeSettings, withNodeDefaults } from './settings.ts';
import { nodeSource, requireModelDirectory } from './source.ts';
import { stopOnSignals } from './stop.ts';
import { nodeThreads } from './threads.ts';

/** Starts the server. A wrong setting ends the process with its sentence. */
export async function start(): Promise<void> {
  try {
    await serve();
  } catch (error) {
    console.error(error instanceof SettingsError ? error.message : error);
    process.exitCode = 1;
  }
}

async function serve(): Promise<void> {
  refuseArguments(process.argv.slice(2));
  const node = readNodeSettings(process.env);
  const settings = readSettings(withNodeDefaults(process.env));
  const onnx = onnxOnNode(settings);
  await requireModelDirectory(settings.model, node);
  const source = nodeSource(settings.model, node);
  const sizes = { source, settings, given: givenSizes(process.env), fill: 'model', threads: node.threads } as const;
  const known = await capacityOfReadable(sizes);
  const served = { ...settings, ...(known && { kvTokens: known.kvTokens, maxTokens: known.maxTokens }) };
  const host = createHost({
    modelName: settings.model,
    settings: served,
    readConfig: () => readModelConfig(source),
    load: async () => {
      const capacity = known ?? (await loadCapacity(sizes));
      if (!known) console.log(capacityLine(capacity, sizes));
      return assembleEngine({
        source,
        onProgress: progressLine(`Loading ${settings.model}`),
        kernels: await readKernels(node.threads > 1),
        threads: node.threads > 1 ? nodeThreads(node.threads) : undefined,
        memoryBudgetBytes: settings.memoryBudgetBytes,
        kvTokens: capacity.kvTokens,
        activations: settings.activations,
        prefixCache: settings.prefixCache,
        queue: settings.queue,
        onnx,
      });
    },
  });
  const drain = new Drain();
  const service = createNodeService(host, served, source, node.addressHeader, drain);
  const server = await startServer(service, node.port, node.host, settings.patience.requestSeconds);
  const who = settings.access.open ? 'everybody' : 'callers with a key';
  console.log(`Seedling serves ${settings.model} on http://${node.host}:${server.address.port}, to ${who}`);
  if (known) console.log(capacityLine(known, sizes));
  // The host logs a load that fails, and the first request tries again.
  host.engine().catch(() => {});
  stopOnSignals(server, drain, node.graceSeconds);
}

/**
 * Null: the model's small files cannot be read now. The load will say why, and settles the sizes once they can.
 * @throws SettingsError for sizes that contradict the model or each other
 */
function capacityOfReadable(sizes: CapacityOptions): Promise<Capacity | null> {
  return settleCapacity(sizes).catch((error: unknown) => {
    if (error instanceof ModelLoadError) return null;
    throw error;
  });
}

/** @throws SettingsError for any: they would be ignored */
function refuseArguments([first]: readonly string[]): void {
  if (first === undefined) return;
  throw new SettingsError(
    `Unknown argument ${JSON.stringify(first)}: settings come from the environment, such as PORT=9105 npm start.`,
  );
}

/** @param shared the builds for a memory that threads share */
async function readKernels(shared: boolean): Promise<KernelModules> {
  const read = async (build: 'relaxed' | 'simd') => {
    const file = `kernels-${build}${shared ? '-shared' : ''}.wasm`;
    return WebAssembly.compile(await readFile(new URL(`../../../../build/${file}`, import.meta.url)));
  };
  const [relaxed, simd] = await Promise.all([read('relaxed'), read('simd')]);
  return { relaxed, simd };
}
