/** Chooses which tokens of a span become masks, and how many masks take their place. */
import { GROW, SHRINK } from './settings.ts';

/** Tokens of a span that are masked out, and the number of masks in their place. */
export interface SpanHole {
  /** Relative to the span: from `start` to before `end`; equal for an insertion. */
  readonly start: number;
  readonly end: number;
  readonly masks: number;
}

/**
 * The holes to try for a span of suspects: the whole span with a few masks fewer or more, and a few masks before it. One
 * wrong token can make its neighbours improbable, so each token alone is tried too, with none to two masks.
 * @param length tokens of the span, 1 or more
 * @param room tokens by which the text may grow, 0 or more
 */
export function holes(length: number, room: number): SpanHole[] {
  const grow = Math.min(GROW, room);
  const found: SpanHole[] = [];
  const add = (start: number, end: number, fewest: number, most: number) => {
    for (let masks = Math.max(0, fewest); masks <= most; masks++) found.push({ start, end, masks });
  };
  add(0, length, length - SHRINK, length + grow);
  add(0, 0, 1, grow);
  if (length > 1) for (let at = 0; at < length; at++) add(at, at + 1, 0, 1 + Math.min(1, grow));
  return found;
}
