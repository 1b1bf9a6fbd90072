/**
 * Quantized activations, as the GEMMs read them: one record for each row and group of 32 k. Rows stand in tiles of four;
 * what is left over is a tile of fewer. In a tile the records go by group, then by row. So a kernel walks one pointer, and
 * all its reads lie at constant offsets from it.
 *
 *   bytes: 32 i8 | scale f32 | for `Sums16`: -8 * sum of the elements with k % 4 in {0, 1} i16 | the same for {2, 3} i16
 *                            | for `Sums32`: -8 * sum i32
 *   words: 4 x 8 i16: even k of the first half, odd k, even k of the second half, odd k | scale f32 | -8 * sum i32
 *
 * Bytes are for int4 weights under relaxed SIMD. Each sum of byte products starts at the correction, so weights of -8..7 may
 * be stored as 0..15. Words are for everything else, with products of 16 bits.
 *
 * The scale is stored times 2^112: then the product with a weight's scale needs no other factor (`half.ts`). It saturates
 * below 2^16, for activations of 8.3 million.
 */
export const BYTES_RECORD: i32 = 40;
export const WORDS_RECORD: i32 = 72;

/** A row alone takes a third longer than a row of two. From 16 rows on four are fast enough to make up for it. */
// @ts-ignore: decorator
@inline
function fiveLeft(rows: i32): bool {
  return (rows & 3) == 1 && rows > 4 && rows < 16;
}

/** Rows in tiles of four. Those that are left are 1, 2 or 3, or 5 in a tile of three and one of two. */
// @ts-ignore: decorator
@inline
export function rowsInFours(rows: i32): i32 {
  return (rows & ~3) - (fiveLeft(rows) ? 4 : 0);
}

/** First row of the tile of row `row`. */
// @ts-ignore: decorator
@inline
function tileStart(row: i32, rows: i32): i32 {
  if (!fiveLeft(rows) || row < rows - 5) return row & ~3;
  return row < rows - 2 ? rows - 5 : rows - 2;
}

/** Address of the records of row `row`, group 0; groups follow at `rowsInTile * record` bytes. */
// @ts-ignore: decorator
@inline
export function recordsOf(q: usize, row: i32, rows: i32, groups: i32, record: i32): usize {
  const start = tileStart(row, rows);
  return q + (start * groups + (row - start)) * record;
}

/** Rows in the tile of row `row`. */
// @ts-ignore: decorator
@inline
export function rowsInTile(row: i32, rows: i32): i32 {
  if (!fiveLeft(rows) || row < rows - 5) return min(4, rows - (row & ~3));
  return row < rows - 2 ? 3 : 2;
}
