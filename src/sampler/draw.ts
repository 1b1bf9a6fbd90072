/** How the ids of a request are drawn: temperature, cuts, penalties, and one uniform for each completion offset. */
import type { Adjustment, Sampling } from '../model/model.ts';
import { addTo, adjustmentOf, type LogitRules, TokenTally } from './logit-rules.ts';
import { uniform } from './random.ts';

export interface DrawSettings {
  /** 0 is greedy. */
  readonly temperature: number;
  readonly topP: number;
  readonly topK: number;
  /** Least share of the best id's probability. Absent: 0, all ids. */
  readonly minP?: number | undefined;
  readonly seed: number;
  /** Null: logits stay as they are. */
  readonly logitRules: LogitRules | null;
}

const UNMOVED: Adjustment = { ids: new Int32Array(), deltas: new Float32Array() };

/**
 * Sampling of one completion's ids. Undefined is the plain argmax.
 *
 * An offset keeps its uniform in every step until it is decided. With a new one per step, a confidence policy would draw
 * again and again until a likely id comes up, and that would sharpen the distribution.
 */
export interface Draw {
  /** The sampling for completion offsets (R), given the ids decided so far. */
  (offsets: Int32Array): Sampling | undefined;

  /**
   * The sampling for a commit of drafts with `rows: 'all'`. Row i chooses the id after `ids[i]`. It counts only ids before
   * that one, as decoding one token at a time does.
   *
   * Verification needs no other rule. A draft is one certain id d: a proposal q with q(d) = 1. The rejection rule accepts d
   * with probability min(1, p(d) / q(d)) = p(d). Otherwise it draws from max(0, p - q) normalised, which is p without d.
   * Drawing y from p gives the same: y = d has probability p(d), and any other y is distributed as p without d. The uniform
   * belongs to the offset, so the text is that of block length 1, with or without drafts.
   * @param ids (C)
   * @param offset completion offset after the last of them
   */
  along(ids: Int32Array, offset: number): Sampling | undefined;

  /** Records decided ids, drafts included. An offset may be recorded again with another id. */
  decided(offsets: Int32Array, ids: Int32Array): void;

  /** Removes offsets that are open again: remasked, or drafts that did not hold. */
  forgotten(offsets: Int32Array): void;
}

/**
 * @param first adjusts the logits of offset 0 only
 * @param prompt (P) the tokens before offset 0, which the repetition penalty counts too
 */
export function createDraw(
  { temperature, topP, topK, minP = 0, seed, logitRules }: DrawSettings,
  first: Adjustment | null = null,
  prompt: Int32Array = new Int32Array(),
): Draw {
  const tally = logitRules && new TokenTally(logitRules, prompt);

  function sampling(offsets: Int32Array, adjustments: Adjustment[] | undefined): Sampling | undefined {
    if (temperature === 0 && !adjustments) return undefined;
    const uniforms = Float32Array.from(offsets, (offset) => uniform(seed, offset)); // (R)
    return { temperature, topP, topK, minP, uniforms, adjustments };
  }

  function adjustments(offsets: Int32Array): Adjustment[] | undefined {
    const rules = tally?.adjustments(offsets);
    const at = first ? offsets.indexOf(0) : -1;
    if (!first || at < 0) return rules;
    if (!rules) return Array.from(offsets, (_, i) => (i === at ? first : UNMOVED));
    return rules.map((rule, i) => (i === at ? both(rule, first) : rule));
  }

  const draw = (offsets: Int32Array) => sampling(offsets, adjustments(offsets));
  return Object.assign(draw, {
    along(ids: Int32Array, offset: number) {
      const start = offset - ids.length;
      const offsets = ids.map((_, i) => start + 1 + i);
      return sampling(offsets, tally?.adjustmentsAlong(start, ids));
    },
    decided(offsets: Int32Array, ids: Int32Array) {
      offsets.forEach((offset, i) => {
        tally?.decide(offset, ids[i]!);
      });
    },
    forgotten(offsets: Int32Array) {
      for (const offset of offsets) tally?.forget(offset);
    },
  });
}

function both(one: Adjustment, other: Adjustment): Adjustment {
  const deltas = new Map(Array.from(one.ids, (id, i) => [id, one.deltas[i]!] as const));
  for (const [i, id] of other.ids.entries()) addTo(deltas, id, other.deltas[i]!);
  const { factors } = one;
  return factors
    ? adjustmentOf(deltas, new Map(Array.from(one.ids, (id, i) => [id, factors[i]!])))
    : adjustmentOf(deltas);
}
