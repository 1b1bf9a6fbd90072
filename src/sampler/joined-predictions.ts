import type { Predictions } from '../model/model.ts';

const EMPTY = new Float32Array();

/** The last row of predictions (R), as predictions of one row. */
export function lastRow({ ids, probs, entropies, topIds, topProbs }: Predictions): Predictions {
  const top = topIds && topProbs && { count: topIds.length / ids.length, topIds, topProbs };
  return {
    ids: ids.slice(-1),
    probs: probs.slice(-1),
    entropies: entropies.slice(-1),
    ...(top && { topIds: top.topIds.slice(-top.count), topProbs: top.topProbs.slice(-top.count) }),
  };
}

/** Rows of both, in order; either may be missing. */
export function joined(first: Predictions | null, second: Predictions | null): Predictions {
  if (!first || !second) return first ?? second ?? { ids: new Int32Array(), probs: EMPTY, entropies: EMPTY };
  return {
    ids: Int32Array.of(...first.ids, ...second.ids),
    probs: Float32Array.of(...first.probs, ...second.probs),
    entropies: Float32Array.of(...first.entropies, ...second.entropies),
    ...(first.topIds &&
      second.topIds && {
        topIds: Int32Array.of(...first.topIds, ...second.topIds),
        topProbs: Float32Array.of(...first.topProbs!, ...second.topProbs!),
      }),
  };
}
