/** Runs jobs in the page's own worker. The first job loads the model. */
import type { Job } from '../../shared/job.ts';
import type { FromWorker, LoadProgress, PageModel, ToWorker } from '../../shared/protocol.ts';
import { RunError, type RunEvent, type Runner } from '../../shared/run-event.ts';

/** Tells the reader about the model. */
export interface LoadListener {
  progress(progress: LoadProgress): void;
  loaded(description: string, warnings: readonly string[]): void;
  /** Called after a cancelled load too. */
  unloaded(): void;
}

interface Loading {
  readonly worker: Worker;
  readonly key: string;
  readonly ready: Promise<void>;
  isReady: boolean;
}

export class PageRunner implements Runner {
  readonly #choice: () => PageModel;
  readonly #listener: LoadListener;
  #loading: Loading | null = null;
  #nextId = 1;

  /** @param choice read at every job. If it differs from the last one, a new worker replaces the old one */
  constructor(choice: () => PageModel, listener: LoadListener) {
    this.#choice = choice;
    this.#listener = listener;
  }

  /** @throws RunError when the model does not load, or the signal's reason */
  async load(signal: AbortSignal): Promise<Worker> {
    const choice = this.#choice();
    const key = keyOf(choice);
    if (this.#loading?.key !== key) {
      this.unload();
      this.#loading = this.#start(choice, key);
    }
    const { worker, ready } = this.#loading as Loading;
    const cancelled = Promise.withResolvers<never>();
    const cancel = () => {
      // Ending the worker is the only way to stop a load. The bytes that it has fetched are kept.
      this.unload();
      cancelled.reject(signal.reason);
    };
    signal.addEventListener('abort', cancel, { once: true });
    try {
      await Promise.race([ready, cancelled.promise]);
      return worker;
    } catch (error) {
      if (!signal.aborted) this.unload();
      throw error;
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }

  /** Whether a job would start at once. */
  get isLoaded(): boolean {
    return this.#loading?.key === keyOf(this.#choice()) && this.#loading.isReady;
  }

  /** Ends the worker and frees what it holds. */
  unload(): void {
    if (this.#loading === null) return;
    this.#loading.worker.terminate();
    this.#loading = null;
    this.#listener.unloaded();
  }

  async *run(job: Job, signal: AbortSignal): AsyncGenerator<RunEvent, void, void> {
    const worker = await this.load(signal);
    const id = this.#nextId++;
    const events = eventsOf(worker, id);
    const cancel = () => tell(worker, { type: 'cancel', id });
    signal.addEventListener('abort', cancel, { once: true });
    try {
      tell(worker, { type: 'run', id, job });
      yield* events;
      signal.throwIfAborted();
    } finally {
      cancel();
      signal.removeEventListener('abort', cancel);
    }
  }

  #start(choice: PageModel, key: string): Loading {
    const worker = new Worker('/playground/worker.js', { type: 'module', name: 'seedling' });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    worker.onerror = ({ message }) =>
      reject(new RunError(`The model's worker failed: ${message || 'no reason given'}.`));
    worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => {
      if (data.type === 'progress') this.#listener.progress(data.progress);
      if (data.type === 'load-failed') reject(new RunError(data.message));
      if (data.type !== 'loaded') return;
      this.#listener.loaded(data.description, data.warnings);
      resolve();
    });
    tell(worker, { type: 'load', ...choice });
    const loading: Loading = { worker, key, ready: promise, isReady: false };
    promise.then(
      () => {
        loading.isReady = true;
      },
      () => {},
    );
    return loading;
  }
}

function keyOf({ runtime, model, threads }: PageModel): string {
  return `${runtime} ${model}${runtime === 'wasm' ? ` ${threads}` : ''}`;
}

function tell(worker: Worker, message: ToWorker): void {
  worker.postMessage(message);
}

/** The events of one job. It listens from the call on, and not only from the first `next`. */
function eventsOf(worker: Worker, id: number): AsyncGenerator<RunEvent, void, void> {
  const arrived: FromWorker[] = [];
  let wake = () => {};
  const listen = ({ data }: MessageEvent<FromWorker>) => {
    if (!('id' in data) || data.id !== id) return;
    arrived.push(data);
    wake();
  };
  worker.addEventListener('message', listen);
  return (async function* () {
    try {
      for (;;) {
        const message = arrived.shift();
        if (message === undefined) await new Promise<void>((resolve) => (wake = resolve));
        else if (message.type === 'event') yield message.event;
        else if (message.type === 'failed') throw new RunError(message.message);
        else return;
      }
    } finally {
      worker.removeEventListener('message', listen);
    }
  })();
}
