/** What the page asks for, wherever it runs. */
import type { PolicyName } from '../../sampler/policies/index.ts';

/** A policy with its one parameter, or none where it has none. */
export interface Decoding {
  readonly policy: PolicyName;
  /** By the API's names, such as `threshold`. */
  readonly parameters: Readonly<Record<string, number>>;
  /** Null: as the host chooses. */
  readonly blockLength: number | null;
  readonly verify: boolean;
}

export interface CompleteJob {
  readonly kind: 'complete';
  readonly prompt: string;
  /** Null: nothing follows the text to be written. */
  readonly suffix: string | null;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly seed: number;
  readonly decoding: Decoding;
}

export interface RepairJob {
  readonly kind: 'repair';
  readonly code: string;
  /** UTF-16 units of the code; null: all of it. */
  readonly region: { readonly start: number; readonly end: number } | null;
  readonly instruction: string | null;
}

export type Job = CompleteJob | RepairJob;
