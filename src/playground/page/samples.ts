/** The texts that the editor holds at first. */
import type { Language } from './editor/editor.ts';

export const SAMPLES: Readonly<Record<Language, string>> = {
  typescript: `/** Returns the numbers of a list that are prime. */
function primes(numbers: number[]): number[] {
  return numbers.filter(isPrime);
}

function isPrime(n: number): boolean {
`,
  python: `def primes(numbers):
    """Returns the numbers of a list that are prime."""
    return [n for n in numbers if is_prime(n)]


def is_prime(n):
`,
};
