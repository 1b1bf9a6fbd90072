/** Attention over pages of int8 on a few shapes, to be compared bit for bit. */
import { createHash } from 'node:crypto';
import { attentionScratchBytes, pageBytes } from '../../../src/model/workspace.ts';
import { type Bench, randomFloats } from './kernels.ts';

/** [rows, tokens before, heads, kvHeads, d, pageTokens]: each dimension of a head, and groups of 1 to 8 queries. */
const SHAPES = [
  [1, 40, 9, 3, 64, 8],
  [5, 37, 9, 3, 64, 8],
  [2, 21, 8, 1, 80, 8],
  [7, 33, 8, 2, 96, 32],
  [3, 50, 16, 8, 128, 8],
  [2, 19, 7, 1, 128, 6],
  [4, 3, 3, 3, 64, 3],
] as const;

/** Bytes of an arena that holds any of them. */
export const ATTENTION_BYTES = 4 << 20;

/** A sha256 over the bits of the outputs of all shapes. @param open a bench of `ATTENTION_BYTES` */
export function attentionHash(open: () => Bench): string {
  const hash = createHash('sha256');
  for (const [rows, before, heads, kvHeads, d, pageTokens] of SHAPES) {
    const bench = open();
    const { arena, kernels } = bench;
    const tokens = before + rows;
    const count = Math.ceil(tokens / pageTokens);
    const page = pageBytes({ numLayers: 1, numKvHeads: kvHeads, headDim: d }, pageTokens, 'int8');
    const pages = bench.put(Int32Array.from({ length: count }, () => arena.take(page)));
    const width = kvHeads * d;
    const k = bench.put(randomFloats(tokens * width, d, 3));
    const v = bench.put(randomFloats(tokens * width, d + 1, 3));
    kernels.kv_store(pages, 0, 0, k, v, width, tokens, kvHeads, d, pageTokens);
    const q = bench.put(randomFloats(rows * heads * d, d + 2, 2));
    const visible = bench.put(Int32Array.from({ length: rows }, (_, row) => before + row + 1));
    const scratch = arena.take(attentionScratchBytes(heads / kvHeads, d, count * pageTokens, pageTokens));
    const out = bench.floats(rows * heads * d);
    kernels.attention(out, q, heads * d, visible, pages, 0, rows, heads, kvHeads, d, pageTokens, scratch, 0, kvHeads);
    hash.update(new Uint8Array(bench.f32(out, rows * heads * d).buffer));
  }
  return hash.digest('hex');
}
