/** How large the pieces of a task are. Small pieces wait for nobody, but each costs a compare-and-swap, and a round a wait. */

/** Pieces of a task: with the most tasks of a round they still fit the ticket's 8 bits (`pieces.ts`). */
const MOST_PIECES = 15;
/** Multiplications of a product that a thread takes at a time, about 2 us: less is not worth the compare-and-swap. */
const LEAST_MACS = 65536;
/** Outputs of a panel of weights (wasm/README.md): pieces are whole panels. */
const PANEL = 8;
/** Rows of records that lie in a tile (`wasm/activations.ts`): two threads must not write the same cache lines. */
const TILE_ROWS = 4;

function mostPieces(threads: number): number {
  return Math.min(MOST_PIECES, threads * 4);
}

/** Outputs of a piece of a product. */
export function outputsOfPiece(threads: number, rows: number, n: number, k: number, limbs: number): number {
  const span = Math.max(n / mostPieces(threads), LEAST_MACS / (rows * limbs * k));
  return Math.ceil(span / PANEL) * PANEL;
}

/**
 * Rows of a piece of a task that makes records.
 * @param macs time of a row, in multiplications of a product
 */
export function rowsOfPiece(threads: number, rows: number, macs: number): number {
  const span = Math.max(rows / mostPieces(threads), LEAST_MACS / macs);
  return Math.ceil(span / TILE_ROWS) * TILE_ROWS;
}

/**
 * K and V heads, and rows, of a piece of attention. Heads are cut first: a piece with fewer rows reads K and V as often as one
 * with more.
 * @param macs time of all heads and rows, in multiplications of a product
 */
export function attentionOfPiece(
  threads: number,
  rows: number,
  kvHeads: number,
  macs: number,
): { readonly heads: number; readonly rows: number } {
  const most = Math.min(mostPieces(threads), Math.floor(macs / LEAST_MACS));
  if (most < 2) return { heads: kvHeads, rows };
  const heads = Math.ceil(kvHeads / most);
  const tiles = Math.max(1, Math.floor(most / Math.ceil(kvHeads / heads)));
  return { heads, rows: Math.ceil(rows / tiles) };
}
