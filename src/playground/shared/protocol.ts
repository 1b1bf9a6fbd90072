/** Every message between the page and the worker that holds the model. */
import type { Job } from './job.ts';
import type { RunEvent } from './run-event.ts';

export type PageRuntime = 'wasm' | 'webgpu';

/** The reader's choice of a model in the page. */
export interface PageModel {
  readonly model: string;
  readonly runtime: PageRuntime;
  /** Threads of `wasm` that multiply. More than one only where the page is cross-origin isolated. */
  readonly threads: number;
  /** Empty for none. */
  readonly apiKey: string;
}

export type ToWorker =
  /** The first message. It comes once. */
  | ({ readonly type: 'load' } & PageModel)
  /** After `loaded`. The page chooses the id; every message about the job carries it. */
  | { readonly type: 'run'; readonly id: number; readonly job: Job }
  /** The job then ends with `ended`. For a job that has ended it does nothing. */
  | { readonly type: 'cancel'; readonly id: number };

export type FromWorker =
  | { readonly type: 'progress'; readonly progress: LoadProgress }
  /** The description names the model and its runtime. A warning says that weights could not be kept. */
  | { readonly type: 'loaded'; readonly description: string; readonly warnings: readonly string[] }
  /** The worker cannot be used any more. */
  | { readonly type: 'load-failed'; readonly message: string }
  | { readonly type: 'event'; readonly id: number; readonly event: RunEvent }
  /** After the last event, and after a cancel. */
  | { readonly type: 'ended'; readonly id: number }
  | { readonly type: 'failed'; readonly id: number; readonly message: string };

export interface LoadProgress {
  /** Bytes of the weights that are in the browser by now. */
  readonly loaded: number;
  readonly total: number;
  /** Part of `loaded`: bytes that an earlier visit left in the browser. */
  readonly cached: number;
}
