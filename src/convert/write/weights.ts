/// <reference lib="esnext.float16" />
/** Quantizes and writes tensors in the order of their layout, a few rows at a time. */
import { GROUP, rowBytes } from '../../model/manifest.ts';
import { ConversionError, rowsAndColumns, type TensorReader } from '../checkpoint.ts';
import type { ErrorReport } from './error-report.ts';
import type { Layout, PlannedPart, PlannedTensor } from './layout.ts';
import { quantizeInt4, quantizeInt8, type SquaredSums, squaredNorm } from './quantize.ts';
import { rowRanges } from './row-ranges.ts';
import { type ShardEntry, type ShardStem, ShardWriter } from './shard-writer.ts';

/**
 * @param weightsPerRead most weights in memory at once (a row at least); the scales of one part are held besides
 * @throws ConversionError naming a tensor with weights that are not finite or too large
 */
export async function writeWeights(
  directory: string,
  layout: Layout,
  tensors: TensorReader,
  weightsPerRead: number,
  report: ErrorReport,
  stem: ShardStem = 'weights',
): Promise<readonly ShardEntry[]> {
  const writer = new ShardWriter(directory, stem);
  try {
    for (const tensor of layout.tensors) {
      for (const part of tensor.parts) await writePart(writer, tensor, part, tensors, weightsPerRead, report);
    }
    return await writer.finish();
  } finally {
    await writer.abort();
  }
}

async function writePart(
  writer: ShardWriter,
  tensor: PlannedTensor,
  part: PlannedPart,
  tensors: TensorReader,
  weightsPerRead: number,
  report: ErrorReport,
): Promise<void> {
  const { name, type } = tensor;
  const { columns } = rowsAndColumns(tensor.shape);
  const rowData = rowBytes(type, columns);
  const [partStart, partEnd] = part.rows;
  const groupsPerRow = type === 'f32' ? 0 : columns / GROUP;
  const scales = new Float16Array((partEnd - partStart) * groupsPerRow);
  for (const [first, end] of rowRanges(partStart, partEnd, columns, weightsPerRead)) {
    const weights = await tensors.readRows(name, first, end);
    const before = first - partStart;
    const target = scales.subarray(before * groupsPerRow, (end - partStart) * groupsPerRow);
    const data = type === 'f32' ? bytesOf(weights) : new Uint8Array((end - first) * rowData);
    const sums = encode(type, weights, data, target);
    if (!Number.isFinite(sums.norm)) throw new ConversionError(`${name} has weights that are not finite numbers`);
    if (!Number.isFinite(sums.error)) throw new ConversionError(`${name} has weights too large for a 16-bit scale`);
    report.add(name, type, weights.length, sums);
    await writer.write(part.shard, part.data + before * rowData, data);
  }
  if (part.scales !== undefined) await writer.write(part.shard, part.scales, bytesOf(scales));
}

function encode(
  type: PlannedTensor['type'],
  weights: Float32Array,
  data: Uint8Array,
  scales: Float16Array,
): SquaredSums {
  if (type === 'int4') return quantizeInt4(weights, data, scales);
  if (type === 'int8') return quantizeInt8(weights, data, scales);
  return squaredNorm(weights);
}

function bytesOf(values: Float32Array | Float16Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
