/** How often a bench repeats its measurements: BENCH_ROUNDS, or the suite's own number. */
export function rounds(standard: number): number {
  const given = process.env.BENCH_ROUNDS;
  if (given === undefined || given === '') return standard;
  const count = Number(given);
  if (!Number.isInteger(count) || count < 1)
    throw new Error(`BENCH_ROUNDS must be a whole number from 1, not ${given}`);
  return count;
}
