/** A request of the page. It may run on the server or in the page. */
import type { PolicyName } from '../../sampler/policies/index.ts';

/** The policy with its parameter, and how a block is decoded. */
export interface JobDecoding {
  readonly policy: PolicyName;
  /** Keys are the API's names, such as `threshold`. */
  readonly parameters: Readonly<Record<string, number>>;
  /** Null: the host chooses. */
  readonly blockLength: number | null;
  readonly verify: boolean;
}

export interface CompleteJob {
  readonly kind: 'complete';
  readonly prompt: string;
  /** Text after the completion. Null: there is none. */
  readonly suffix: string | null;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly seed: number;
  readonly decoding: JobDecoding;
}

export interface RepairJob {
  readonly kind: 'repair';
  readonly code: string;
  /** In UTF-16 units of the code. Null: all of the code. */
  readonly region: { readonly start: number; readonly end: number } | null;
  readonly instruction: string | null;
}

export type Job = CompleteJob | RepairJob;
