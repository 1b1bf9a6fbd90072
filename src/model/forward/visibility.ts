import type { ModelConfig } from '../config.ts';

/**
 * How many positions, counted from 0, a committed token attends to. Under causal context these are the token's own and all
 * before it; under block-causal context, all up to the end of its block.
 * @param end positions that exist once the commit is done
 * @param origin position at which the first whole block begins
 */
export function committedVisible(
  { contextAttention, blockLength }: Pick<ModelConfig, 'contextAttention' | 'blockLength'>,
  position: number,
  end: number,
  origin = 0,
): number {
  if (contextAttention === 'causal') return position + 1;
  if (contextAttention === 'full') return end;
  return Math.min(origin + (Math.floor((position - origin) / blockLength) + 1) * blockLength, end);
}
