/** Plans where every tensor lies in the shards (models/README.md). Pure: it writes nothing. */
import { GROUP, rowBytes, type TensorType } from '../../model/manifest.ts';
import { ConversionError, rowsAndColumns, type Shape } from '../checkpoint.ts';

/** Shards stay under the limit of a Workers static asset, in bytes. */
export const SHARD_LIMIT = 25 * 1024 * 1024;
const ALIGNMENT = 64;

export interface PlannedPart {
  readonly shard: number;
  /** [first, end) */
  readonly rows: readonly [number, number];
  /** Byte offset in the shard. */
  readonly data: number;
  readonly scales?: number | undefined;
}

export interface PlannedTensor {
  readonly name: string;
  readonly type: TensorType;
  readonly shape: Shape;
  readonly parts: readonly PlannedPart[];
}

export interface Layout {
  readonly tensors: readonly PlannedTensor[];
  /** Bytes of each shard. */
  readonly shards: readonly number[];
}

/** Bytes of one row's fp16 scales. */
function scaleBytes(type: TensorType, columns: number): number {
  return type === 'f32' ? 0 : (columns / GROUP) * 2;
}

function alignUp(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/**
 * Puts tensors one after another, a new shard where the next does not fit; splits by rows only a tensor that is
 * larger than a shard.
 * @throws ConversionError naming the tensor if K is not a multiple of 32 or one row is larger than a shard.
 */
export function planLayout(tensors: readonly Omit<PlannedTensor, 'parts'>[], limit = SHARD_LIMIT): Layout {
  const shards: number[] = [0];
  // "Under" the limit: the largest aligned size below it.
  const capacity = alignUp(limit) - ALIGNMENT;
  const planned = tensors.map((tensor) => {
    const { rows, columns } = rowsAndColumns(tensor.shape);
    if (tensor.type !== 'f32' && columns % GROUP !== 0) {
      throw new ConversionError(
        `${tensor.name} has ${columns} columns, not a multiple of ${GROUP}: ${tensor.type} cannot hold it, use f32`,
      );
    }
    const row = { data: rowBytes(tensor.type, columns), scales: scaleBytes(tensor.type, columns) };
    const size = (count: number) =>
      row.scales === 0 ? count * row.data : alignUp(count * row.data) + count * row.scales;
    if (size(1) > capacity)
      throw new ConversionError(`one row of ${tensor.name} does not fit a shard of ${limit} bytes`);

    const parts: PlannedPart[] = [];
    for (let first = 0; first < rows; ) {
      let at = alignUp(shards.at(-1)!);
      const remaining = rows - first;
      const whole = size(rows) <= capacity;
      const fits = size(remaining) <= capacity - at ? remaining : whole ? 0 : rowsThatFit(row, size, capacity - at);
      if (fits === 0) {
        shards.push(0);
        continue;
      }
      const data = at;
      at += size(fits);
      const scales = row.scales === 0 ? {} : { scales: data + alignUp(fits * row.data) };
      parts.push({ shard: shards.length - 1, rows: [first, first + fits], data, ...scales });
      shards[shards.length - 1] = at;
      first += fits;
    }
    return { ...tensor, parts };
  });
  return { tensors: planned, shards };
}

function rowsThatFit(row: { data: number; scales: number }, size: (rows: number) => number, room: number): number {
  let rows = Math.max(0, Math.floor(room / (row.data + row.scales)));
  while (rows > 0 && size(rows) > room) rows--;
  return rows;
}
