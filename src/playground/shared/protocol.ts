/** Every message between the page and the worker that holds the model. */
import type { Job } from './job.ts';
import type { RunEvent } from './run-event.ts';

export type RuntimeName = 'wasm' | 'webgpu';

/** What the reader wants in the page. */
export interface PageModel {
  readonly model: string;
  readonly runtime: RuntimeName;
  /** That multiply, of `wasm`: more than one only where the page is cross-origin isolated. */
  readonly threads: number;
  /** Empty for none. */
  readonly apiKey: string;
}

export type ToWorker =
  /** Once, first. */
  | ({ readonly type: 'load' } & PageModel)
  /** After `loaded`. The id is the page's, and returns in all that belongs to the job. */
  | { readonly type: 'run'; readonly id: number; readonly job: Job }
  /** The job then ends with `ended`; without meaning for one that has. */
  | { readonly type: 'cancel'; readonly id: number };

export type FromWorker =
  | { readonly type: 'progress'; readonly progress: LoadProgress }
  /** In words: which model, on what. */
  | { readonly type: 'loaded'; readonly description: string }
  /** The worker is of no use any more. */
  | { readonly type: 'load-failed'; readonly message: string }
  | { readonly type: 'event'; readonly id: number; readonly event: RunEvent }
  /** After the last event, also of a cancelled job. */
  | { readonly type: 'ended'; readonly id: number }
  | { readonly type: 'failed'; readonly id: number; readonly message: string };

export interface LoadProgress {
  /** Bytes of the weights that are here. */
  readonly loaded: number;
  readonly total: number;
  /** Of them, bytes that an earlier visit left in the browser's cache. */
  readonly cached: number;
}
