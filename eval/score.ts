/** How near a text is to the wanted one. */
import { distance } from 'fastest-levenshtein';

/** 1 - Levenshtein distance / length of the longer text, over UTF-16 units: 1 for equal texts, 0 for nothing alike. */
export function editSimilarity(a: string, b: string): number {
  const longer = Math.max(a.length, b.length);
  return longer === 0 ? 1 : 1 - distance(a, b) / longer;
}

/** Length of the common prefix of a text and the wanted one, over the length of the wanted one. */
export function sharedPrefix(wanted: string, text: string): number {
  if (wanted.length === 0) return Number(text.length === 0);
  let at = 0;
  while (at < wanted.length && wanted[at] === text[at]) at++;
  return at / wanted.length;
}

/** Running mean. */
export class Mean {
  #sum = 0;
  #count = 0;

  add(value: number | boolean): void {
    this.#sum += Number(value);
    this.#count += 1;
  }

  get count(): number {
    return this.#count;
  }

  /** NaN of nothing. */
  get value(): number {
    return this.#sum / this.#count;
  }

  /** To four digits; null of nothing, as JSON has no NaN. */
  get rounded(): number | null {
    return this.#count === 0 ? null : Number(this.value.toFixed(4));
  }
}
