/** Rows by probability, highest first; leftmost of equals. */
export function mostProbableFirst(probs: Float32Array): number[] {
  return ranked(probs, (a, b) => b - a);
}

/** Rows by entropy, lowest first; leftmost of equals. */
export function surestFirst(entropies: Float32Array): number[] {
  return ranked(entropies, (a, b) => a - b);
}

function ranked(values: Float32Array, order: (a: number, b: number) => number): number[] {
  return Array.from(values.keys()).sort((a, b) => order(values[a]!, values[b]!) || a - b);
}

/** The first `count` of ranked rows, as a policy returns them: ascending, at least one. */
export function take(rows: readonly number[], count: number): Int32Array {
  return Int32Array.from(rows.slice(0, Math.max(1, count))).sort();
}
