/** The rows of a forward, and which of them predict the requested positions. */
import { gridOrigin, type ModelConfig } from '../config.ts';
import type { CachePrefix, DenoiseAsk } from '../model.ts';

/** from, from + 1, ..., to - 1. */
export function range(from: number, to: number): Int32Array {
  return Int32Array.from({ length: to - from }, (_, i) => from + i);
}

/** Position at which the first whole block of a new cache begins. */
export function cacheOrigin(config: ModelConfig, prefix: CachePrefix | undefined): number {
  return prefix ? gridOrigin(config, prefix.ids.length) : 0;
}

/**
 * Rows of a forward that predict the given positions of the block that begins at row `start`.
 * @param length rows of the forward
 * @param most rows that a forward may have
 * @throws RangeError on a forward that is too long, or a position that its block does not predict
 */
export function blockRows(
  { logitShift }: Pick<ModelConfig, 'logitShift'>,
  most: number,
  length: number,
  positions: Int32Array,
  start: number,
): Int32Array {
  if (length > most) throw new RangeError(`a forward of ${length} exceeds ${most} positions`);
  const rows = positions.map((position) => start + position - (logitShift ? 1 : 0));
  if (rows.some((row) => row < start || row >= length)) throw new RangeError('a position outside the block');
  return rows;
}

/**
 * Checks how much KV a denoise keeps of its own, and how much it reads of an earlier one. Both are in tokens.
 * @param length ids of the forward
 * @throws RangeError where the context is not `full` (KV is always exact there), or there are fewer ids than to be kept
 */
export function staleTokens(
  { contextAttention }: Pick<ModelConfig, 'contextAttention'>,
  length: number,
  { keep = 0, ahead = 0 }: Pick<DenoiseAsk, 'keep' | 'ahead'>,
): { readonly keep: number; readonly ahead: number } {
  if ((keep > 0 || ahead > 0) && contextAttention !== 'full') {
    throw new RangeError(`KV that is not exact, under ${contextAttention} context`);
  }
  if (keep < 0 || ahead < 0 || keep > length) throw new RangeError(`no ${keep} to keep of ${length} ids`);
  return { keep, ahead };
}
