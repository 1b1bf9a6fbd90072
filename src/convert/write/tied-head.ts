/** Says whether the checkpoint has an LM head of its own. Its files decide, not `tie_word_embeddings`. */
import type { TensorReader } from '../checkpoint.ts';
import { rowsAndColumns } from '../checkpoint.ts';
import { rowRanges } from './row-ranges.ts';
import { EMBEDDING, LM_HEAD } from './tensor-order.ts';

/** True if there is no lm_head, or one that repeats the embedding bit for bit. */
export async function headIsTied(tensors: TensorReader, weightsPerRead: number): Promise<boolean> {
  const head = tensors.shapes.get(LM_HEAD);
  const embedding = tensors.shapes.get(EMBEDDING);
  if (head === undefined) return true;
  if (embedding?.join() !== head.join()) return false;
  const { rows, columns } = rowsAndColumns(head);
  for (const [first, end] of rowRanges(0, rows, columns, weightsPerRead)) {
    const expected = bytesOf(await tensors.readRows(EMBEDDING, first, end));
    // The reader reuses its buffer.
    const copy = Buffer.from(expected);
    if (!copy.equals(bytesOf(await tensors.readRows(LM_HEAD, first, end)))) return false;
  }
  return true;
}

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
