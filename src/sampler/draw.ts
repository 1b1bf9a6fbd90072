/** How the ids of a request are drawn: temperature, cuts, penalties, and one uniform for each completion offset. */
import type { Adjustment, Sampling } from '../model/model.ts';
import { addTo, adjustmentOf, type LogitRules, TokenTally } from './logit-rules.ts';
import { uniform } from './random.ts';

export interface DrawSettings {
  /** 0 is greedy. */
  readonly temperature: number;
  readonly topP: number;
  readonly topK: number;
  readonly seed: number;
  /** Null: logits stay as they are. */
  readonly logitRules: LogitRules | null;
}

const UNMOVED: Adjustment = { ids: new Int32Array(), deltas: new Float32Array() };

/**
 * How one completion's ids are chosen. Undefined is the plain argmax.
 *
 * An offset keeps its uniform in every step until it is decided. A fresh one per step would let a confidence policy roll
 * again until a likely id comes up, which sharpens the distribution unasked.
 */
export interface Draw {
  /** The sampling for completion offsets (R), after what has been decided so far. */
  (offsets: Int32Array): Sampling | undefined;

  /**
   * The sampling for a commit of drafts with `rows: 'all'`: row i chooses the id after `ids[i]` and counts only ids that
   * stand before it, as decoding one at a time would.
   *
   * Verification needs nothing else. A draft is one certain id d, a proposal q with q(d) = 1. The rejection rule accepts
   * d with min(1, p(d) / q(d)) = p(d), and otherwise draws from max(0, p - q) normalised, which is p without d. To draw
   * y from p, keep d if y = d, and take y otherwise, is that rule: y = d has probability p(d), and a y that differs is
   * distributed as p without d. The uniform is the offset's own, so the text is that of block length 1, draft or not.
   * @param ids (C)
   * @param offset completion offset after the last of them
   */
  along(ids: Int32Array, offset: number): Sampling | undefined;

  /** Tells what was decided, drafts included; an offset may be told again with another id. */
  decided(offsets: Int32Array, ids: Int32Array): void;

  /** Tells what is open again: masked again, or a draft that did not hold. */
  forgotten(offsets: Int32Array): void;
}

/** @param first what moves the logits of offset 0 alone */
export function createDraw(
  { temperature, topP, topK, seed, logitRules }: DrawSettings,
  first: Adjustment | null = null,
): Draw {
  const tally = logitRules && new TokenTally(logitRules);

  function sampling(offsets: Int32Array, adjustments: Adjustment[] | undefined): Sampling | undefined {
    if (temperature === 0 && !adjustments) return undefined;
    const uniforms = Float32Array.from(offsets, (offset) => uniform(seed, offset)); // (R)
    return { temperature, topP, topK, uniforms, adjustments };
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
  return adjustmentOf(deltas);
}
