/**
 * Chooses an id from a row of logits, for requests that do not ask for the plain argmax. The rule is that of
 * `wasm/head.ts`.
 */
import { adjusted } from '../forward/adjust.ts';
import type { Sampling } from '../model.ts';

/** Weights below this are many, and rarely in the kept set. */
const LIKELY = 1e-6;

/**
 * @param logits (V), the mask token's far below all others; the row's adjustments are added in place
 * @param row of `sampling` that applies: its adjustments and its uniform
 */
export function chooseId(logits: Float32Array, sampling: Sampling, row: number): number {
  const { temperature, topK, topP, minP = 0, uniforms, adjustments } = sampling;
  const adjustment = adjustments?.[row];
  adjustment?.ids.forEach((id, i) => {
    logits[id] = adjusted(logits[id]!, adjustment, i);
  });
  const best = largest(logits);
  if (temperature === 0) return best;

  const most = logits[best]!;
  const weights = new Float64Array(logits.length);
  for (let id = 0; id < weights.length; id++) weights[id] = Math.exp((logits[id]! - most) / temperature);
  const cut = smallestKept(weights, topK, topP, minP);
  const target = uniforms[row]! * massFrom(weights, cut);
  let seen = 0;
  let last = best;
  for (let id = 0; id < weights.length; id++) {
    const weight = weights[id]!;
    if (weight < cut || weight === 0) continue;
    last = id;
    seen += weight;
    if (seen > target) break;
  }
  return last;
}

/** Index of the largest number, or of the first such. */
function largest(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

/** The smallest weight of at least `least` among the topK largest (0: all), and of those among the fewest that have the mass topP. */
function smallestKept(weights: Float64Array, topK: number, topP: number, least: number): number {
  if (topK === 0 && topP >= 1) return least;
  // Sorting the few likely ids is enough in nearly all cases.
  const likely = weights.filter((weight) => weight >= LIKELY);
  return kept(likely, weights, topK, topP, least) ?? kept(weights, weights, topK, topP, least)!;
}

/** Null when `some`, the largest of `all`, are too few or have too little mass. */
function kept(some: Float64Array, all: Float64Array, topK: number, topP: number, least: number): number | null {
  const sorted = some.toSorted().reverse();
  if (topK > sorted.length && sorted.length < all.length) return null;
  const cut = Math.max(least, topK > 0 ? sorted[Math.min(topK, sorted.length) - 1]! : 0);
  if (topP >= 1) return cut;
  const wanted = topP * massFrom(all, cut);
  let sum = 0;
  for (const weight of sorted) {
    sum += weight;
    if (sum >= wanted) return Math.max(cut, weight);
  }
  return sorted.length < all.length ? null : cut;
}

function massFrom(weights: Float64Array, cut: number): number {
  let sum = 0;
  for (const weight of weights) if (weight >= cut) sum += weight;
  return sum;
}
