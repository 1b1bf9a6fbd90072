/** Settings of an edit: when a token is suspected, when it is rewritten, and how much work that may take. */
import { z } from 'zod';

const probability = z.number().min(0).max(1);
const nats = z.number().min(0).max(1000);

/** Bounds and meaning of every setting; the defaults are apart. */
export const editingParameters = {
  tauSuspect: probability.describe('A token is suspected when its causal probability is below this.'),
  tauVisible: probability
    .nullable()
    .describe(
      'A token is also suspected when its probability at its own place of a block in which it can be seen is below this. ' +
        'Only for models that were trained on visible tokens that are wrong; null leaves the signal out.',
    ),
  tauMask: probability.describe(
    'A suspect is confirmed when its probability with itself masked and its right context visible is below this.',
  ),
  tauRatio: probability.describe(
    '... and there also below this share of what the most probable token has: many names are improbable, but so is all else.',
  ),
  tauEdit: probability.describe('An edit is made only when the mean probability of its new tokens is above this.'),
  rightMargin: nats.describe('... and the tokens after it become more probable by at least this, in nats,'),
  deletionMargin: nats.describe('The same for an edit that only deletes: it has no new tokens to vouch for it.'),
  margin: nats.describe('... and new tokens and tokens after it together do so by at least this, in nats.'),
  threshold: probability.describe('Masks of a hole that are more probable than this are decided in the same forward.'),
  blockLength: z
    .int()
    .min(4)
    .max(32)
    .describe('Positions of a block: one of left context, masks, right context; a long hole adds to them.'),
  rightTokens: z.int().min(1).max(32).describe('Tokens after an edit that its likelihood is judged with.'),
  passes: z.int().min(1).max(8).describe('Passes over the code at most; each begins only if the one before edited.'),
  maxForwards: z.int().min(1).max(100_000).describe('Forwards at most; then the edits so far are the result.'),
} as const;

type Parsed = z.output<z.ZodObject<typeof editingParameters>>;

export type EditingSettings = Readonly<Parsed>;

/** Chosen for few false alarms, then for repairs: `npm run eval -- clean` measures both. */
export const DEFAULT_EDITING: EditingSettings = {
  tauSuspect: 0.001,
  tauVisible: null,
  tauMask: 0.001,
  tauRatio: 0.0001,
  tauEdit: 0.8,
  rightMargin: 4,
  deletionMargin: 6,
  margin: 8,
  threshold: 0.9,
  blockLength: 8,
  rightTokens: 8,
  passes: 2,
  maxForwards: 512,
};

/** Adjacent suspects that are rewritten together at most. */
export const LONGEST_SPAN = 3;
/** A hole has at most so many masks fewer than what it replaces, */
export const SHRINK = 2;
/** and so many more. */
export const GROW = 4;
