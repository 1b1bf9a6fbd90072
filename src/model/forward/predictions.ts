import type { ModelConfig } from '../config.ts';
import type { Predictions, RowAsk } from '../model.ts';

/**
 * Room for the answers to an ask, all zero.
 * @param rows (R)
 * @throws RangeError when the ask does not have one entry per row, or names an id outside the vocabulary
 */
export function emptyPredictions(
  rows: number,
  { sampling, targets, alternatives = 0 }: RowAsk,
  { vocabSize }: ModelConfig,
): Predictions {
  requireLength('uniforms', sampling?.uniforms, rows);
  requireLength('adjustments', sampling?.adjustments, rows);
  requireLength('targets', targets, rows);
  for (const ids of [targets, ...new Set(sampling?.adjustments?.map((adjustment) => adjustment.ids))]) {
    const stranger = ids?.find((id) => id < 0 || id >= vocabSize);
    if (stranger !== undefined) throw new RangeError(`token id ${stranger} is outside the vocabulary`);
  }
  return {
    ids: new Int32Array(rows),
    probs: new Float32Array(rows),
    entropies: new Float32Array(rows),
    ...(targets && { targetProbs: new Float32Array(rows) }),
    ...(alternatives > 0 && {
      topIds: new Int32Array(rows * alternatives),
      topProbs: new Float32Array(rows * alternatives),
    }),
  };
}

function requireLength(what: string, list: ArrayLike<unknown> | undefined, rows: number): void {
  if (list && list.length !== rows) throw new RangeError(`${list.length} ${what} for ${rows} positions`);
}

/** Rows of several predictions of one ask, in order. */
export function joinRows(parts: readonly Predictions[]): Predictions {
  const filled = parts.filter((part) => part.ids.length > 0);
  if (filled.length <= 1) return filled[0] ?? parts[0]!;
  const floats = (of: (part: Predictions) => Float32Array | undefined) =>
    Float32Array.from(parts.flatMap((part) => Array.from(of(part) ?? [])));
  const ids = (of: (part: Predictions) => Int32Array | undefined) =>
    Int32Array.from(parts.flatMap((part) => Array.from(of(part) ?? [])));
  return {
    ids: ids((part) => part.ids),
    probs: floats((part) => part.probs),
    entropies: floats((part) => part.entropies),
    ...(parts.some((part) => part.targetProbs) && { targetProbs: floats((part) => part.targetProbs) }),
    ...(parts.some((part) => part.topIds) && {
      topIds: ids((part) => part.topIds),
      topProbs: floats((part) => part.topProbs),
    }),
  };
}
