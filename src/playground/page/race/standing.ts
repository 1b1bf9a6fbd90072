/** What a race says: how many times as fast the default is, and nothing better than that. */
import type { Recording } from './recording.ts';

/** Times as fast as one token at a time, for the first `tokens` of both. Null: not known yet. */
export function ratioSoFar(one: Recording, auto: Recording, tokens: number): number | null {
  const [slow, fast] = [one.msOf(tokens), auto.msOf(tokens)];
  return tokens === 0 || slow === null || fast === null ? null : slow / fast;
}

/** To one digit. Less than that is chance. */
export function speedUp(ratio: number): string {
  const shown = ratio.toFixed(1);
  if (shown === '1.0') return 'no faster here';
  return ratio > 1 ? `${shown} times as fast` : `slower here, at ${shown} times the speed`;
}

/** @throws RunError if a run ended without a result */
export function verdict(one: Recording, auto: Recording): string {
  if (one.end.tokens === 0 || auto.end.tokens === 0) return 'The model had nothing to write here.';
  const equal = one.text === auto.text;
  // Texts of different lengths take different times, so this compares the time of a token.
  const ratio = one.ms / one.end.tokens / (auto.ms / auto.end.tokens);
  const texts = equal ? 'The texts are equal.' : 'The texts differ, so this compares the time of a token.';
  return `The default is ${speedUp(ratio)}: ${cost(auto)}, against ${cost(one)}. ${texts}`;
}

function cost({ end, ms }: Recording): string {
  const { tokens, nfe } = end;
  return `${plural(tokens, 'token')} in ${plural(nfe, 'forward')} and ${(ms / 1000).toFixed(2)} s`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
