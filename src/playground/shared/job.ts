/** A request of the page. It may run on the server or in the page. */
import type { PolicyName } from '../../sampler/policies/index.ts';

/** The policy with its parameter, and how a block is decoded. Null leaves a field to the API's default. */
export interface JobDecoding {
  readonly policy: PolicyName | null;
  /** Keys are the API's names, such as `threshold`. */
  readonly parameters: Readonly<Record<string, number>>;
  readonly blockLength: number | null;
  readonly verify: boolean | null;
}

/** As the API decodes by default: what is drafted, and how much, is chosen for each forward. */
export const AUTOMATIC: JobDecoding = { policy: null, parameters: {}, blockLength: null, verify: null };
/** No draft: each forward decides one token. */
export const ONE_AT_A_TIME: JobDecoding = { ...AUTOMATIC, blockLength: 1 };

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
