/** The most probable ids of a position, beside the chosen one. */

/** Ids that a model names at most: as many as OpenAI's chat asks for. */
export const MAX_ALTERNATIVES = 20;

/**
 * The most probable ids of a row of logits, best first. Of equal ids the lowest comes first. The mask token is never
 * among them.
 * @param logits (V), not adjusted
 * @param ids (K), written, like `probs` (K): the plain softmax without the mask token
 */
export function mostProbable(logits: Float32Array, maskId: number, ids: Int32Array, probs: Float32Array): void {
  const count = ids.length;
  ids.fill(-1);
  probs.fill(Number.NEGATIVE_INFINITY);
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id]!;
    if (logit <= probs[count - 1]! || id === maskId) continue;
    let at = count - 1;
    for (; at > 0 && probs[at - 1]! < logit; at--) {
      ids[at] = ids[at - 1]!;
      probs[at] = probs[at - 1]!;
    }
    ids[at] = id;
    probs[at] = logit;
  }
  const most = probs[0]!;
  let sum = 0;
  for (let id = 0; id < logits.length; id++) if (id !== maskId) sum += Math.exp(logits[id]! - most);
  for (let at = 0; at < count; at++) probs[at] = Math.exp(probs[at]! - most) / sum;
}
