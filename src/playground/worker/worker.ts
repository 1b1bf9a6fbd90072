/** The worker that holds a model. It loads the model once, then runs jobs until the page ends it. */
import type { Engine } from '../../engine/engine.ts';
import { RequestError } from '../../engine/request.ts';
import { ModelLoadError } from '../../model/errors.ts';
import type { FromWorker, ToWorker } from '../shared/protocol.ts';
import { runJob } from './engine-job.ts';
import { pageWeights } from './page-weights.ts';
import { type Loaded, loadWasm } from './runtimes.ts';
import { loadWebGpu } from './webgpu.ts';

declare const self: DedicatedWorkerGlobalScope;

type Load = Extract<ToWorker, { type: 'load' }>;
type Run = Extract<ToWorker, { type: 'run' }>;

const running = new Map<number, AbortController>();
let engine: Engine | null = null;

function send(message: FromWorker): void {
  self.postMessage(message);
}

async function load({ model, runtime, threads, apiKey }: Load): Promise<void> {
  const warnings: string[] = [];
  try {
    const source = await pageWeights(
      model,
      apiKey,
      (progress) => send({ type: 'progress', progress }),
      (sentence) => warnings.push(sentence),
    );
    const loaded: Loaded = await (runtime === 'wasm' ? loadWasm(source, threads) : loadWebGpu(source));
    engine = loaded.engine;
    send({ type: 'loaded', description: loaded.description, warnings });
  } catch (error) {
    send({ type: 'load-failed', message: `The model did not load: ${sentence(error)}` });
  }
}

async function run({ id, job }: Run): Promise<void> {
  if (engine === null) throw new Error('a job before the model');
  const controller = new AbortController();
  running.set(id, controller);
  try {
    for await (const event of runJob(engine, job, controller.signal)) send({ type: 'event', id, event });
    send({ type: 'ended', id });
  } catch (error) {
    if (controller.signal.aborted) send({ type: 'ended', id });
    else send({ type: 'failed', id, message: sentence(error) });
  } finally {
    running.delete(id);
  }
}

/** Expected errors are sentences already; others name their kind too. */
function sentence(error: unknown): string {
  if (error instanceof RequestError) return error.message;
  if (error instanceof ModelLoadError) return `${error.message}.`;
  // A missing adapter says so in a sentence of its own.
  if (error instanceof Error && error.name === 'NoAdapterError') return error.message;
  return `${error}.`;
}

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  if (data.type === 'load') void load(data);
  if (data.type === 'run') void run(data);
  if (data.type === 'cancel') running.get(data.id)?.abort();
};
