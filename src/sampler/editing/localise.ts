/** Finds tokens that the model finds improbable: first from their left context alone, then from both sides. */
import type { EditForwards } from './edit-forwards.ts';
import type { EditedTokens } from './edited-tokens.ts';
import { type EditingSettings, LONGEST_SPAN } from './settings.ts';

export interface Suspect {
  /** Index of the current token. */
  readonly at: number;
  /** Given the tokens before it. */
  readonly causalProb: number;
  /** Given its block, in which it is visible; null if that was not judged. */
  readonly visibleProb: number | null;
  /** Given its block with itself masked, right context included. */
  readonly leaveOneOutProb: number;
  /** Probability of the most probable token in its place, given the same. */
  readonly bestProb: number;
}

/** Adjacent suspects: current tokens from `start` to before `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly suspects: readonly Suspect[];
}

/** Tokens per forward that only fills the cache or scans: between two of them an abort is noticed. */
const CHUNK = 64;

/** Brings the cache to exactly the first `length` tokens. */
export async function commitUpTo(forwards: EditForwards, tokens: EditedTokens, length: number): Promise<void> {
  forwards.rewind(length);
  for (let at = forwards.committed; at < length; at = forwards.committed) {
    await forwards.append(tokens.slice(at, Math.min(at + CHUNK, length)));
  }
}

type Scanned = Pick<Suspect, 'at' | 'causalProb' | 'visibleProb'>;

/**
 * The spans whose tokens are all improbable given both sides, left to right.
 *
 * A scan judges every token causally. Plain confidence of a masked-diffusion model does not find errors (CDLM, arXiv
 * 2512.15596). So a suspect of the scan must also be improbable when it is masked and its right context is visible. The
 * token before a suspect is checked in the same way: it may be the actual error.
 * @param from index of the first token that is looked at, at least 1; the cache holds at most the tokens before
 * @param to index after the last
 */
export async function localise(
  forwards: EditForwards,
  tokens: EditedTokens,
  from: number,
  to: number,
  settings: EditingSettings,
): Promise<Span[]> {
  const scanned = new Map<number, Scanned>();
  for (const token of await scan(forwards, tokens, from, to, settings)) scanned.set(token.at, token);
  const suspicious = ({ causalProb, visibleProb }: Scanned) =>
    causalProb < settings.tauSuspect ||
    (visibleProb !== null && settings.tauVisible !== null && visibleProb < settings.tauVisible);

  // Right to left: the cache only shrinks, so nothing has to be committed again.
  const confirmed: Suspect[] = [];
  let lookAt = -1;
  for (const token of [...scanned.values()].reverse()) {
    if (!tokens.isEditable(token.at) || !(suspicious(token) || token.at === lookAt)) continue;
    const suspect = await leaveOneOut(forwards, tokens, token, settings);
    if (!isConfirmed(suspect, settings)) continue;
    confirmed.push(suspect);
    if (suspicious(token)) lookAt = token.at - 1;
  }
  return grouped(confirmed.reverse());
}

/** Judges the tokens from `from` to before `to`, each given those before it. */
async function scan(
  forwards: EditForwards,
  tokens: EditedTokens,
  from: number,
  to: number,
  { tauVisible, blockLength }: EditingSettings,
): Promise<Scanned[]> {
  await commitUpTo(forwards, tokens, from - 1);
  const scanned: Scanned[] = [];
  const chunk = tauVisible === null ? CHUNK : blockLength - 1;
  for (let at = from; at < to; at += chunk) {
    const targets = tokens.slice(at, Math.min(at + chunk, to)); // (C)
    const seen = tauVisible === null ? null : await visibleProbs(forwards, tokens, at, targets);
    const { targetProbs } = await forwards.judge(tokens.slice(at - 1, at - 1 + targets.length), targets);
    for (const [i, causalProb] of targetProbs.entries()) {
      scanned.push({ at: at + i, causalProb, visibleProb: seen ? seen[i]! : null });
    }
  }
  return scanned;
}

/** Probability of each target (C) at its own place of the block that shows them all. */
async function visibleProbs(
  forwards: EditForwards,
  tokens: EditedTokens,
  at: number,
  targets: Int32Array,
): Promise<Float32Array> {
  const block = Int32Array.of(tokens.at(at - 1), ...targets);
  return (
    await forwards.judgeBlock(
      block,
      Int32Array.from(targets.keys(), (i) => i + 1),
      targets,
    )
  ).targetProbs;
}

/**
 * Judges a token with itself masked: the block is the token before it, the mask, and right context.
 * The cache must hold the tokens before that block, and is cut to them.
 */
export async function leaveOneOut(
  forwards: EditForwards,
  tokens: EditedTokens,
  token: Scanned,
  { blockLength }: EditingSettings,
): Promise<Suspect> {
  const { at, causalProb, visibleProb } = token;
  forwards.rewind(at - 1);
  const block = tokens.slice(at - 1, at - 1 + blockLength);
  block[1] = forwards.maskTokenId;
  const { probs, targetProbs } = await forwards.judgeBlock(block, Int32Array.of(1), Int32Array.of(tokens.at(at)));
  return { at, causalProb, visibleProb, leaveOneOutProb: targetProbs[0]!, bestProb: probs[0]! };
}

/** Whether the model would confidently write something else in a suspect's place. */
export function isConfirmed({ leaveOneOutProb, bestProb }: Suspect, { tauMask, tauRatio }: EditingSettings): boolean {
  return leaveOneOutProb < tauMask && leaveOneOutProb < tauRatio * bestProb;
}

/** Groups adjacent suspects, at most LONGEST_SPAN together. */
function grouped(suspects: readonly Suspect[]): Span[] {
  const spans: { start: number; end: number; suspects: Suspect[] }[] = [];
  for (const suspect of suspects) {
    const last = spans.at(-1);
    if (last && last.end === suspect.at && last.suspects.length < LONGEST_SPAN) {
      last.suspects.push(suspect);
      last.end += 1;
    } else {
      spans.push({ start: suspect.at, end: suspect.at + 1, suspects: [suspect] });
    }
  }
  return spans;
}
