/** Decides whether an edit is good enough to keep. */
import type { EditingSettings } from './settings.ts';

/** What speaks for an edit. */
export interface Evidence {
  /** Highest probability of an old token with itself masked. */
  readonly leaveOneOutProb: number;
  /** Tokens that are written, none for a deletion. */
  readonly written: number;
  /** Mean probability of the new tokens; for a deletion, see `deletionConfidence`. */
  readonly confidence: number;
  /** By how much the tokens after the edit become more probable, causally, in nats. */
  readonly rightGain: number;
  /** The same for the edit and the tokens after it. */
  readonly gain: number;
}

/**
 * Whether an edit is made. LLaDA2.1's rule for editing (replace where another token is more probable than tau_edit), held
 * to more evidence, as the model is small and most code that it is given is right.
 */
export function accepts(evidence: Evidence, settings: EditingSettings): boolean {
  const { leaveOneOutProb, written, confidence, rightGain, gain } = evidence;
  return (
    leaveOneOutProb < settings.tau_mask &&
    confidence > settings.tau_edit &&
    rightGain >= (written === 0 ? settings.deletion_margin : settings.right_margin) &&
    gain >= settings.margin
  );
}

/** No new token vouches for a deletion: it is the share of the two likelihoods of what follows that is the new text's. */
export function deletionConfidence(rightGain: number): number {
  return 1 / (1 + Math.exp(-rightGain));
}
