/** Rows [first, end) in ranges of at most `weightsPerRead` weights (at least one row each). */
export function* rowRanges(
  first: number,
  end: number,
  columns: number,
  weightsPerRead: number,
): Generator<readonly [number, number]> {
  const step = Math.max(1, Math.floor(weightsPerRead / columns));
  for (let row = first; row < end; row += step) yield [row, Math.min(end, row + step)];
}
