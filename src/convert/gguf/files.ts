/** Opens a GGUF file, or all files of a split by its first one, and checks where their tensors are. */
import { basename, dirname, join } from 'node:path';
import { type GGUFParseOutput, gguf } from '@huggingface/gguf';
import { ConversionError } from '../checkpoint.ts';
import { RangeFile } from '../range-file.ts';
import { GGUF_TYPES } from './blocks.ts';

export interface GgufTensor {
  /** GGUF's own name. */
  readonly name: string;
  /** Slowest dimension first. */
  readonly shape: readonly number[];
  /** GGML's type number. */
  readonly type: number;
  readonly file: RangeFile;
  /** Byte position in the file. */
  readonly offset: number;
}

export interface GgufFiles {
  /** Of the first file. */
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly tensors: readonly GgufTensor[];
  close(): Promise<void>;
}

/** Names of a split's files, as llama.cpp writes and reads them. */
const PART = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/;

/** @throws ConversionError naming the file that is missing, malformed, cut off or not the first of its split */
export async function openGgufFiles(path: string): Promise<GgufFiles> {
  const opened: RangeFile[] = [];
  const close = async () => {
    for (const file of opened) await file.close();
  };
  try {
    const first = await readHeader(path);
    const tensors: GgufTensor[] = [];
    const paths = splitPaths(path, first);
    for (const [part, partPath] of paths.entries()) {
      const file = await RangeFile.open(partPath);
      opened.push(file);
      const header = part === 0 ? first : await readHeader(partPath);
      if (paths.length > 1) checkPart(header, partPath, part, paths.length);
      tensors.push(...tensorsOf(header, file));
    }
    checkTogether(tensors, first, path);
    return { metadata: metadataOf(first), tensors, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function readHeader(path: string): Promise<GGUFParseOutput> {
  // The parser's own error for a missing file is a stack trace.
  await (await RangeFile.open(path)).close();
  let header: GGUFParseOutput;
  try {
    header = await gguf(path, { allowLocalFile: true });
  } catch (error) {
    throw new ConversionError(`${path} is not a readable GGUF file: ${(error as Error).message}`, { cause: error });
  }
  if (!header.littleEndian) throw new ConversionError(`${path} is a big-endian GGUF; only little-endian is read`);
  return header;
}

/** The parser's own type enumerates architectures; what is read here is checked key by key. */
function metadataOf(header: GGUFParseOutput): Readonly<Record<string, unknown>> {
  return header.metadata as unknown as Readonly<Record<string, unknown>>;
}

/** A count of the metadata, which may be a bigint; 0 where there is none. */
function count(header: GGUFParseOutput, key: string): number {
  const value = metadataOf(header)[key];
  return value === undefined ? 0 : Number(value);
}

function splitPaths(path: string, first: GGUFParseOutput): readonly string[] {
  const parts = count(first, 'split.count');
  if (parts <= 1) return [path];
  const [, prefix, , total] = PART.exec(basename(path)) ?? [];
  const nameOf = (part: number) =>
    `${prefix}-${String(part + 1).padStart(5, '0')}-of-${String(parts).padStart(5, '0')}.gguf`;
  const own = count(first, 'split.no');
  if (prefix === undefined || Number(total) !== parts) {
    throw new ConversionError(
      `${path} is file ${own + 1} of a split of ${parts}: name them NAME-00001-of-${String(parts).padStart(5, '0')}.gguf ` +
        'and so on, in one directory',
    );
  }
  if (own !== 0) {
    throw new ConversionError(`${path} is file ${own + 1} of a split of ${parts}: give the first one, ${nameOf(0)}`);
  }
  return Array.from({ length: parts }, (_, part) => join(dirname(path), nameOf(part)));
}

function checkPart(header: GGUFParseOutput, path: string, part: number, parts: number): void {
  const [own, total] = [count(header, 'split.no'), count(header, 'split.count')];
  if (own === part && total === parts) return;
  throw new ConversionError(
    `${path} should be file ${part + 1} of a split of ${parts}, but says that it is ${own + 1} of ${total}`,
  );
}

/** Tensors follow each other without a hole, each at a multiple of the alignment, as ggml demands of a file. */
function tensorsOf(header: GGUFParseOutput, file: RangeFile): GgufTensor[] {
  const dataStart = Number(header.tensorDataOffset);
  const alignment = count(header, 'general.alignment') || 32;
  let expected: number | undefined = 0;
  return header.tensorInfos.map((info) => {
    const where = `${file.path}: ${info.name}`;
    // GGML lists the fastest dimension first.
    const shape = info.shape.map(Number).reverse();
    const offset = Number(info.offset);
    if (expected !== undefined && offset !== expected) {
      throw new ConversionError(`${where} is at offset ${offset}; after the tensor before it, ${expected} is next`);
    }
    const bytes = bytesOf(info.dtype, shape, where);
    if (bytes !== undefined && dataStart + offset + bytes > file.bytes) {
      throw new ConversionError(
        `${file.path} ends at byte ${file.bytes}, inside ${info.name}: it is cut off, fetch it again`,
      );
    }
    // The size of a type that is not read is not known.
    expected = bytes === undefined ? undefined : Math.ceil((offset + bytes) / alignment) * alignment;
    return { name: info.name, shape, type: info.dtype, file, offset: dataStart + offset };
  });
}

function bytesOf(typeNumber: number, shape: readonly number[], where: string): number | undefined {
  const type = GGUF_TYPES.get(typeNumber);
  if (type === undefined) return undefined;
  const columns = shape.at(-1) ?? 1;
  if (columns % type.block !== 0) {
    throw new ConversionError(`${where} has rows of ${columns}, not a multiple of the ${type.block} of ${type.name}`);
  }
  return shape.slice(0, -1).reduce((product, n) => product * n, type.rowBytes(columns));
}

function checkTogether(tensors: readonly GgufTensor[], first: GGUFParseOutput, path: string): void {
  const names = new Set<string>();
  for (const { name, file } of tensors) {
    if (names.has(name)) throw new ConversionError(`${file.path} has ${name}, which was there already`);
    names.add(name);
  }
  const total = count(first, 'split.tensors.count');
  if (total !== 0 && total !== tensors.length) {
    throw new ConversionError(`${path} is of a split of ${total} tensors, but its files have ${tensors.length}`);
  }
}
