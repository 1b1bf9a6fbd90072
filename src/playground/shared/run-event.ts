/** The events of a running job. They are the same from a server and from the page's own worker. */
import type { Cost } from '../../engine/request.ts';
import type { Job } from './job.ts';

/** A position that a forward decided. */
export interface StepToken {
  /** Offset in the completion, in tokens. */
  readonly position: number;
  readonly text: string;
  /** Probability of the token, from 0 to 1. */
  readonly prob: number;
  /** True: it replaces another token. */
  readonly revised: boolean;
}

/** A change of the job's code. Offsets are UTF-16 units of that code. */
export interface TextChange {
  readonly start: number;
  readonly end: number;
  readonly newText: string;
  /** Mean probability of the new tokens. */
  readonly confidence: number;
}

/** Only sources that had a draft. */
export type DraftsBySource = Cost['drafts'];

/** The last event of a completion. */
export interface RunEnd {
  readonly type: 'done';
  readonly finishReason: 'stop' | 'length';
  readonly tokens: number;
  /** Forwards after the prefill. */
  readonly nfe: number;
  /** Drafts that were checked. */
  readonly drafts: DraftsBySource;
}

export type RunEvent =
  /** One forward: the tokens that it decided, and the positions that it masked again. */
  | { readonly type: 'step'; readonly tokens: readonly StepToken[]; readonly remasked: readonly number[] }
  /** Final text. */
  | { readonly type: 'text'; readonly text: string }
  | RunEnd
  /** Repair: a place whose probability was computed. Offsets as in `TextChange`. */
  | { readonly type: 'span'; readonly start: number; readonly end: number; readonly prob: number }
  | {
      readonly type: 'edited';
      readonly changes: readonly TextChange[];
      readonly nfe: number;
      /** False: the limit on forwards ended the repair. */
      readonly complete: boolean;
    };

/** A run failed. The message is a sentence for the reader. */
export class RunError extends Error {
  override readonly name = 'RunError';
  /** The server wants a key, or a different key. */
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
