/** One wrong token in right code. */
import type { Tokenizer } from '../../src/engine/tokenizer/tokenizer.ts';
import { uniform } from '../../src/sampler/random.ts';
import { decodeIds } from '../heldout/decode-ids.ts';

export const corruptions = ['substitution', 'insertion', 'deletion'] as const;
export type Corruption = (typeof corruptions)[number];

export interface Corrupted {
  readonly text: string;
  /** Where the wrong token stands, or the deleted one stood: UTF-16 units of `text`. */
  readonly start: number;
  readonly end: number;
  readonly was: string;
  readonly is: string;
}

/** Tokens at either end of a text that stay. */
const EDGE = 4;

/**
 * Replaces a token of a text by another of its tokens, inserts one before it, or deletes it. Blank tokens stay and are not
 * inserted.
 * @returns null when the text has no two such tokens
 */
export function corrupt(text: string, tokenizer: Tokenizer, kind: Corruption, seed: number): Corrupted | null {
  const ids = tokenizer.encode(text, 'content');
  const textOf = (from: number, to: number) => decodeIds(tokenizer, ids.subarray(from, to));
  const places = [...ids.keys()].slice(EDGE, -EDGE).filter((at) => /\S/.test(textOf(at, at + 1)));
  const at = places[Math.floor(uniform(seed, 0) * places.length)];
  if (at === undefined) return null;
  const others = places.filter((other) => ids[other] !== ids[at]);
  const other = others[Math.floor(uniform(seed, 1) * others.length)];
  if (other === undefined) return null;
  const before = textOf(0, at);
  const is = kind === 'deletion' ? '' : textOf(other, other + 1);
  const was = kind === 'insertion' ? '' : textOf(at, at + 1);
  const after = textOf(kind === 'insertion' ? at : at + 1, ids.length);
  return { text: before + is + after, start: before.length, end: before.length + is.length, was, is };
}
