/** The events of a running job. They are the same from a server and from the page's own worker. */
import type { Job } from './job.ts';

/** A position that a forward decided. */
export interface StepToken {
  /** Offset in the completion, tokens. */
  readonly position: number;
  readonly text: string;
  /** Plain probability. */
  readonly prob: number;
  /** Another token stood there before. */
  readonly revised: boolean;
}

/** A change against the job's code; offsets are UTF-16 units of it. */
export interface TextChange {
  readonly start: number;
  readonly end: number;
  readonly newText: string;
  /** Mean probability of the new tokens. */
  readonly confidence: number;
}

export type RunEvent =
  /** One forward, and what is a mask again after it. */
  | { readonly type: 'step'; readonly tokens: readonly StepToken[]; readonly remasked: readonly number[] }
  /** Text that will never change again. */
  | { readonly type: 'text'; readonly text: string }
  | {
      readonly type: 'done';
      readonly finishReason: 'stop' | 'length';
      readonly tokens: number;
      /** Forwards after the prefill. */
      readonly nfe: number;
    }
  /** Repair: a place that was weighed. Offsets as in `TextChange`. */
  | { readonly type: 'span'; readonly start: number; readonly end: number; readonly prob: number }
  | {
      readonly type: 'edited';
      readonly changes: readonly TextChange[];
      readonly nfe: number;
      /** False when the limit on forwards came first. */
      readonly complete: boolean;
    };

/** The message is a sentence for the reader. */
export class RunError extends Error {
  override readonly name = 'RunError';
  /** The server wants a key, or another one. */
  readonly needsKey: boolean;
  constructor(message: string, needsKey = false) {
    super(message);
    this.needsKey = needsKey;
  }
}

/** Runs one job at a time. The events end after `done` or `edited`, or throw a `RunError`, or the signal's reason. */
export interface Runner {
  run(job: Job, signal: AbortSignal): AsyncGenerator<RunEvent, void, void>;
}
