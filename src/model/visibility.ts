import type { ModelConfig } from './config.ts';

/**
 * How many positions, counted from 0, a committed token attends to: its own and those before it, or all of its block
 * where the checkpoint's context is block-causal.
 * @param end positions that exist once the commit is done.
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
