/** A long forward of one sequence as several. */
import type { ModelConfig } from '../config.ts';
import type { RowAsk, Sampling, SequenceForward } from '../model.ts';
import { MAX_ROWS } from '../workspace.ts';

const NO_IDS = new Int32Array();

/** Rows of a forward. */
export function positionsOf({ clean, block, ask }: Omit<SequenceForward, 'cache'>): number {
  return clean.length + block.length + masksOf(clean.length, ask);
}

/** Masks in the place of the tokens after clean ones. */
function masksOf(clean: number, { rows, byMasks }: SequenceForward['ask']): number {
  return byMasks ? { none: 0, last: Math.min(clean, 1), all: clean }[rows] : 0;
}

/** The first part of a sequence's forward, and what is left of it. */
export interface Cut {
  readonly piece: SequenceForward;
  readonly rest: SequenceForward | null;
}

/**
 * Cuts a forward that has more than `most` positions. All pieces together give the predictions and the KV of the whole.
 * @param at position of its first row
 * @returns null where not even a first piece fits: clean tokens of a block stay together where they see each other, and
 *   masks with the tokens that they see
 */
export function cut(
  config: Pick<ModelConfig, 'blockLength'>,
  sequence: SequenceForward,
  at: number,
  most: number,
): Cut | null {
  const { cache, clean, block, ask } = sequence;
  if (positionsOf(sequence) <= most) return { piece: sequence, rest: null };
  const masks = masksOf(clean.length, ask);
  if (masks > 1) return null;
  // A mask sees the last token, so it runs with that one.
  const left = clean.length - masks;
  const rows = left <= most ? left : cleanRows(config, cache, at, most);
  if (rows <= 0) return null;
  const none = { ...ask, positions: NO_IDS, blockSampling: undefined, blockTargets: undefined };
  if (rows === clean.length) {
    const piece = { cache, clean, block: NO_IDS, ask: none };
    const left = { ...ask, rows: 'none' as const, sampling: undefined, targets: undefined };
    return { piece, rest: { cache, clean: NO_IDS, block, ask: left } };
  }
  const all = ask.rows === 'all';
  const head = all ? rowsOf(ask, 0, rows) : { rows: 'none' as const };
  const tail = all ? rowsOf(ask, rows, clean.length) : {};
  return {
    piece: {
      cache,
      clean: clean.subarray(0, rows),
      block: NO_IDS,
      ask: { ...none, sampling: undefined, targets: undefined, ...head },
    },
    rest: { cache, clean: clean.subarray(rows), block, ask: { ...ask, ...tail } },
  };
}

/** A forward in pieces of at most one tile, each to be run before the next is taken. */
export function* piecesOf(config: ModelConfig, whole: SequenceForward): Generator<SequenceForward, void, void> {
  for (let rest: SequenceForward | null = whole; rest; ) {
    const next: Cut = cut(config, rest, rest.cache.length, MAX_ROWS) ?? { piece: rest, rest: null };
    yield next.piece;
    rest = next.rest;
  }
}

/**
 * Clean tokens of a piece: whole blocks where attention is bidirectional within a block.
 * @param at position of the first
 */
function cleanRows(
  { blockLength }: Pick<ModelConfig, 'blockLength'>,
  { context, origin }: SequenceForward['cache'],
  at: number,
  most: number,
): number {
  if (context === 'causal') return most;
  if (context === 'full') return 0;
  return most - ((at - origin + most + blockLength) % blockLength);
}

/** The part of an ask about rows `from` to before `to`. */
function rowsOf({ sampling, targets }: RowAsk, from: number, to: number): Pick<RowAsk, 'sampling' | 'targets'> {
  const part = (whole: Sampling): Sampling => ({
    ...whole,
    uniforms: whole.uniforms.subarray(from, to),
    adjustments: whole.adjustments?.slice(from, to),
  });
  return { sampling: sampling && part(sampling), targets: targets?.subarray(from, to) };
}
