/** Decides whether an edit is good enough to keep. */
import type { EditingSettings } from './settings.ts';

/** Evidence for an edit. */
export interface Evidence {
  /** Highest probability of an old token with itself masked. */
  readonly leaveOneOutProb: number;
  /** Number of new tokens; 0 for a deletion. */
  readonly written: number;
  /** Mean probability of the new tokens; for a deletion, see `deletionConfidence`. */
  readonly confidence: number;
  /** Gain in causal log-probability of the tokens after the edit, in nats. */
  readonly rightGain: number;
  /** The same gain for the edit and the tokens after it. */
  readonly gain: number;
}

/**
 * Whether an edit is made. LLaDA2.1 replaces a token if another one is more probable than tauEdit. Here an edit needs more
 * evidence: the model is small, and most code that it gets is right.
 */
export function accepts(evidence: Evidence, settings: EditingSettings): boolean {
  const { leaveOneOutProb, written, confidence, rightGain, gain } = evidence;
  return (
    leaveOneOutProb < settings.tauMask &&
    confidence > settings.tauEdit &&
    rightGain >= (written === 0 ? settings.deletionMargin : settings.rightMargin) &&
    gain >= settings.margin
  );
}

/** A deletion has no new tokens. Its confidence compares the likelihood of the tokens after it: new / (new + old). */
export function deletionConfidence(rightGain: number): number {
  return 1 / (1 + Math.exp(-rightGain));
}
