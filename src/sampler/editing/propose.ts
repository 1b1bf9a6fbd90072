/** Proposes ways to rewrite a span, and judges each by the likelihood of the text with it. */
import { deletionConfidence, type Evidence } from './accept.ts';
import type { EditForwards } from './edit-forwards.ts';
import { type EditedTokens, shared, type TokenEdit } from './edited-tokens.ts';
import { type Filled, fill } from './fill.ts';
import { holes } from './holes.ts';
import type { Span } from './localise.ts';
import type { EditingSettings } from './settings.ts';

/** New tokens for the current ones from `start` to before `end`. The range is as small as possible. */
export interface Candidate extends Evidence {
  readonly start: number;
  readonly end: number;
  readonly ids: Int32Array;
  /** The same against the original tokens. */
  readonly edit: TokenEdit;
}

/** Probabilities are raised to at least this, so one token never decides alone. */
const LEAST_PROB = 1e-9;
/** Minimum right context shown with a hole, if the text has that much. */
const LEAST_RIGHT = 4;
const NOTHING: Filled = { ids: new Int32Array(), confidence: 0 };

/**
 * Candidates for a span by likelihood, best first. Their score is the sum of the causal log-probabilities of the span's new
 * tokens and of `rightTokens` after them, minus the same sum for the old tokens.
 * The cache must hold exactly the tokens before the one before the span. It is the same afterwards.
 * @param room tokens by which the text may grow
 */
export async function propose(
  forwards: EditForwards,
  tokens: EditedTokens,
  { start, end, suspects }: Span,
  room: number,
  usable: (id: number) => boolean,
  settings: EditingSettings,
): Promise<Candidate[]> {
  const before = tokens.slice(start - 1, start); // (1)
  const old = tokens.slice(start, end); // (L)
  const after = tokens.slice(end, end + Math.max(settings.rightTokens, settings.blockLength, LEAST_RIGHT)); // (A)
  const right = after.subarray(0, settings.rightTokens); // (K)
  const rewrites = await fillHoles(forwards, before, old, after, room, usable, settings);
  const was = await logProbs(forwards, before, Int32Array.of(...old, ...right)); // (L + K)
  const leaveOneOutProb = Math.max(...suspects.map((suspect) => suspect.leaveOneOutProb));

  const candidates: Candidate[] = [];
  for (const rewrite of rewrites) {
    const now = await logProbs(forwards, before, Int32Array.of(...rewrite.ids, ...right)); // (M + K)
    const same = shared(old, rewrite.ids);
    const ids = rewrite.ids.slice(same.prefix, rewrite.ids.length - same.suffix);
    const changed = [start + same.prefix, end - same.suffix] as const;
    const rightGain = sum(now, rewrite.ids.length - same.suffix) - sum(was, old.length - same.suffix);
    const gain = sum(now, 0) - sum(was, 0);
    const confidence = ids.length === 0 ? deletionConfidence(rightGain) : rewrite.confidence;
    candidates.push({
      start: changed[0],
      end: changed[1],
      ids,
      edit: { ...tokens.against(...changed, ids), confidence, gain },
      leaveOneOutProb,
      written: ids.length,
      confidence,
      rightGain,
      gain,
    });
  }
  return candidates.sort((a, b) => b.gain - a.gain);
}

/** Distinct rewrites of the whole span, each with the confidence of the surest hole that gave it. */
async function fillHoles(
  forwards: EditForwards,
  before: Int32Array,
  old: Int32Array,
  after: Int32Array,
  room: number,
  usable: (id: number) => boolean,
  settings: EditingSettings,
): Promise<Filled[]> {
  const rewrites = new Map<string, Filled>();
  for (const { start, end, masks } of holes(old.length, room)) {
    const left = Int32Array.of(...before, ...old.subarray(0, start));
    const rest = Int32Array.of(...old.subarray(end), ...after);
    const seen = rest.subarray(0, Math.max(LEAST_RIGHT, settings.blockLength - left.length - masks));
    const filled = masks === 0 ? NOTHING : await fill(forwards, left, masks, seen, usable, settings);
    if (!filled) continue;
    const ids = Int32Array.of(...old.subarray(0, start), ...filled.ids, ...old.subarray(end)); // (M)
    const key = ids.join();
    if (key === old.join()) continue;
    const known = rewrites.get(key);
    if (!known || known.confidence < filled.confidence) rewrites.set(key, { ids, confidence: filled.confidence });
  }
  return [...rewrites.values()];
}

/**
 * Causal log-probability of each token in nats: (T) -> (T). The cache is left as it was.
 * @param before the token before them (1), which is not in the cache
 */
async function logProbs(forwards: EditForwards, before: Int32Array, tokens: Int32Array): Promise<Float64Array> {
  if (tokens.length === 0) return new Float64Array();
  const length = forwards.committed;
  const { targetProbs } = await forwards.judge(Int32Array.of(...before, ...tokens.subarray(0, -1)), tokens);
  forwards.rewind(length);
  return Float64Array.from(targetProbs, (prob) => Math.log(Math.max(prob, LEAST_PROB)));
}

function sum(values: Float64Array, from: number): number {
  return values.subarray(from).reduce((total, value) => total + value, 0);
}
