/** Reads the header of a safetensors file and refuses what the reference library refuses. */
import { z } from 'zod';
import { ConversionError } from '../checkpoint.ts';
import { checkJson } from '../json-file.ts';
import type { RangeFile } from '../range-file.ts';

/** The format's own limit on the header, in bytes. */
const MAX_HEADER = 100_000_000;

/** Bits of one element, by the format's names. */
const BITS: ReadonlyMap<string, number> = new Map([
  ...['F4'].map((type) => [type, 4] as const),
  ...['F6_E2M3', 'F6_E3M2'].map((type) => [type, 6] as const),
  ...['BOOL', 'U8', 'I8'].map((type) => [type, 8] as const),
  ...['F8_E5M2', 'F8_E4M3', 'F8_E8M0', 'F8_E4M3FNUZ', 'F8_E5M2FNUZ'].map((type) => [type, 8] as const),
  ...['I16', 'U16', 'F16', 'BF16'].map((type) => [type, 16] as const),
  ...['I32', 'U32', 'F32'].map((type) => [type, 32] as const),
  ...['C64', 'F64', 'I64', 'U64'].map((type) => [type, 64] as const),
]);

const size = z.int().nonnegative();
const entrySchema = z.object({
  dtype: z.string(),
  shape: z.array(size),
  data_offsets: z.tuple([size, size]),
});
const metadataSchema = z.record(z.string(), z.string()).nullable();

type Entry = z.infer<typeof entrySchema>;

export interface HeaderEntry {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly number[];
  /** Byte position in the file. */
  readonly offset: number;
}

export interface SafetensorsHeader {
  readonly tensors: readonly HeaderEntry[];
  /** Words of whoever wrote the file. */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Tensors in the order of their bytes. Together they cover the rest of the file, without a hole and without an overlap.
 * @throws ConversionError naming the file, and the tensor where one is wrong
 */
export async function readSafetensorsHeader(file: RangeFile): Promise<SafetensorsHeader> {
  const { path } = file;
  const text = await headerText(file);
  const dataStart = 8 + new TextEncoder().encode(text).byteLength;
  const entries: [string, Entry][] = [];
  let metadata: Readonly<Record<string, string>> = {};
  for (const [name, value] of Object.entries(parseHeader(text, path))) {
    if (name === '__metadata__') {
      metadata = checkJson(value, `${path}: ${name}`, metadataSchema) ?? {};
    } else entries.push([name, checkJson(value, `${path}: ${name}`, entrySchema)]);
  }
  entries.sort(([, { data_offsets: a }], [, { data_offsets: b }]) => a[0] - b[0] || a[1] - b[1]);
  let end = 0;
  for (const [name, entry] of entries) {
    checkEntry(entry, `${path}: ${name}`, end);
    end = entry.data_offsets[1];
  }
  const rest = file.bytes - dataStart;
  if (end > rest) throw new ConversionError(`${path} ends at byte ${file.bytes}: it is cut off, fetch it again`);
  if (end < rest)
    throw new ConversionError(`${path} has ${rest - end} bytes after its last tensor that no tensor owns`);
  const tensors = entries.map(([name, { dtype, shape, data_offsets }]) => {
    return { name, type: dtype, shape, offset: dataStart + data_offsets[0] };
  });
  return { tensors, metadata };
}

async function headerText(file: RangeFile): Promise<string> {
  const refuse = (why: string) => new ConversionError(`${file.path} is not a safetensors file: ${why}`);
  if (file.bytes < 8) throw refuse('it is too short for a header');
  const prefix = new Uint8Array(8);
  await file.read(0, prefix);
  const length = new DataView(prefix.buffer).getBigUint64(0, true);
  if (length > BigInt(Math.min(MAX_HEADER, file.bytes - 8))) throw refuse(`its header would have ${length} bytes`);
  const bytes = new Uint8Array(Number(length));
  await file.read(8, bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw refuse('its header is not UTF-8');
  }
}

function parseHeader(text: string, path: string): object {
  let json: unknown;
  try {
    json = JSON.parse(text, wholeNumbers);
  } catch (error) {
    throw new ConversionError(`${path}: its header is not JSON: ${(error as Error).message}`, { cause: error });
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new ConversionError(`${path}: its header is not a JSON object`);
  }
  const twice = repeatedKey(text);
  if (twice !== undefined) throw new ConversionError(`${path}: its header has ${twice} twice`);
  return json;
}

/** The format has no fractions: `2.0` and `2e0` become NaN, which no field takes. */
function wholeNumbers(_name: string, value: unknown, context?: { readonly source?: string }): unknown {
  return typeof value === 'number' && !/^\d+$/.test(context?.source ?? '') ? Number.NaN : value;
}

/** @param start where its bytes must begin */
function checkEntry({ dtype, shape, data_offsets: [first, end] }: Entry, where: string, start: number): void {
  const bits = BITS.get(dtype);
  if (bits === undefined) throw new ConversionError(`${where}: dtype ${dtype} is not one of the format`);
  if (end < first) throw new ConversionError(`${where}: data_offsets [${first}, ${end}] are reversed`);
  if (first !== start) {
    const what = first < start ? 'overlap the tensor before it' : 'leave a hole before it';
    throw new ConversionError(`${where}: data_offsets [${first}, ${end}] ${what}, which ends at ${start}`);
  }
  const bytes = (shape.reduce((product, n) => product * n, 1) * bits) / 8;
  if (bytes !== end - first) {
    throw new ConversionError(
      `${where} is ${dtype} of shape [${shape}], ${bytes} bytes, but its data_offsets hold ${end - first}`,
    );
  }
}

/** A key that one object of a JSON text has twice: parsers differ in the one that they take. */
function repeatedKey(json: string): string | undefined {
  const keys: Set<string>[] = [];
  for (const [token, key] of json.matchAll(/("(?:[^"\\]|\\.)*")\s*:|"(?:[^"\\]|\\.)*"|[{}]/g)) {
    if (token === '{') keys.push(new Set());
    else if (token === '}') keys.pop();
    else if (key !== undefined) {
      const name = JSON.parse(key) as string;
      const seen = keys.at(-1)!;
      if (seen.has(name)) return name;
      seen.add(name);
    }
  }
  return undefined;
}
