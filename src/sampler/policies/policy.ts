import type * as z from 'zod';
import type { Predictions } from '../../model/model.ts';

/** Where a block stands when a policy is asked. */
export interface BlockProgress {
  /** Denoise steps already done in this block: 0 at the first. */
  readonly step: number;
  /** Masked positions that the block began with. */
  readonly initiallyMasked: number;
  /** Completion offset of the block's first position. */
  readonly offset: number;
}

/**
 * Chooses what a denoise step decides. Pure.
 * @param predictions one row per position that is still masked (R), R > 0
 * @param positions where in the block those rows are (R), ascending
 * @returns the rows to decide (D), ascending, at least one: indices into `predictions`, not positions
 */
export type Policy = (predictions: Predictions, positions: Int32Array, progress: BlockProgress) => Int32Array;

/** A policy as a request can choose it: all that the API, its documentation and the sampler need. */
export interface PolicyDefinition<Parameters extends z.ZodRawShape> {
  /** One sentence for the API's documentation, with the source. */
  readonly summary: string;
  /** What a request may set, by name, with bounds and a description. A name means the same in every policy. */
  readonly parameters: Parameters;
  readonly defaults: Readonly<z.output<z.ZodObject<Parameters>>>;
  /** What differs from `defaults` where decided ids are only drafts, which a causal forward checks. */
  readonly verifiedDefaults?: Readonly<Partial<z.output<z.ZodObject<Parameters>>>>;
  /** @param seed the request's */
  create(settings: Readonly<z.output<z.ZodObject<Parameters>>>, seed: number): Policy;
}

/** The identity: it lets TypeScript infer a definition's parameters. */
export function definePolicy<Parameters extends z.ZodRawShape>(
  definition: PolicyDefinition<Parameters>,
): PolicyDefinition<Parameters> {
  return definition;
}
