/** The events that a sampler yields. Offsets count from the first id of the completion. */

export interface Alternative {
  readonly id: number;
  readonly prob: number;
}

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
  /** Plain softmax probability: with verification the causal one, otherwise that of the forward that decided it. */
  readonly probs: Float32Array; // (S)
  /** The most probable ids of the same position, best first, as many as were asked for. */
  readonly alternatives: readonly (readonly Alternative[])[]; // (S)
  /** An EOS came, or `maxTokens` did. */
  readonly end: 'eos' | 'length' | null;
}

export type SamplerEvent = StepEvent | SettledEvent;
