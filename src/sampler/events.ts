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
  /** The `positions` that had another id before: drafts that did not hold. */
  readonly revised: Int32Array;
  /** Offsets that were decided and are masks again. */
  readonly remasked: Int32Array;
}

/** Final ids in order. Each id is in exactly one event. The last event has an `end`. */
export interface SettledEvent {
  readonly type: 'settled';
  readonly block: number;
  /** Never an EOS. */
  readonly ids: Int32Array; // (S)
  /** Plain softmax probability: with verification the causal one, otherwise from the forward that decided the id. */
  readonly probs: Float32Array; // (S)
  /** The most probable ids of the same position, best first, as many as were asked for. */
  readonly alternatives: readonly (readonly Alternative[])[]; // (S)
  /** An EOS came, or `maxTokens` did. */
  readonly end: 'eos' | 'length' | null;
}

export type SamplerEvent = StepEvent | SettledEvent;
