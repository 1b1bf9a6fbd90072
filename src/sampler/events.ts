/** What a sampler says while it works. Offsets count from the first id of the completion. */

/** One forward's outcome, in the order in which it is applied. */
export interface StepEvent {
  readonly type: 'step';
  /** Grid block of the first offset that was open. */
  readonly block: number;
  /** Decided or changed, ascending. */
  readonly positions: Int32Array; // (D)
  readonly ids: Int32Array; // (D)
  readonly probs: Float32Array; // (D) plain softmax probability, whatever the draw
  /** Those of `positions` that held another id before: a draft that did not hold. */
  readonly revised: Int32Array;
  /** Offsets that were decided and are masks again. */
  readonly remasked: Int32Array;
}

/** Ids that are final, in order, each in exactly one event. `end` is set on the last one. */
export interface SettledEvent {
  readonly type: 'settled';
  readonly block: number;
  /** Never an EOS. */
  readonly ids: Int32Array; // (S)
  /** An EOS came, or `maxTokens` did. */
  readonly end: 'eos' | 'length' | null;
}

export type SamplerEvent = StepEvent | SettledEvent;
