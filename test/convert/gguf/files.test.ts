/** Splits, and files whose tensors are not where they say. */
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type MetadataValue, type StoredTensor, writeGguf } from '../support/gguf-file.ts';
import { readWeights } from '../support/read-model.ts';
import { temporaryDirectory } from '../support/tiny-checkpoint.ts';
import { convertFile, convertGguf, metadata, tensors, writeTinyGguf } from '../support/tiny-gguf.ts';

const name = (part: number, parts: number) =>
  `tiny-${String(part + 1).padStart(5, '0')}-of-${String(parts).padStart(5, '0')}.gguf`;

/** @returns paths. @param change metadata of a part that differs from a right one */
async function split(
  parts: number,
  {
    change = () => ({}),
    stored = tensors(),
    emptyFirst = false,
  }: {
    change?: (part: number) => Record<string, MetadataValue>;
    stored?: Record<string, StoredTensor>;
    emptyFirst?: boolean;
  } = {},
): Promise<string[]> {
  const directory = await temporaryDirectory();
  const all = Object.entries(stored);
  const paths: string[] = [];
  for (let part = 0; part < parts; part++) {
    const holders = emptyFirst ? parts - 1 : parts;
    const own = all.filter((_, i) => i % holders === (emptyFirst ? part - 1 : part));
    const keys = { 'split.no': part, 'split.count': parts, 'split.tensors.count': all.length, ...change(part) };
    const path = join(directory, name(part, parts));
    await writeGguf(path, part === 0 ? { ...metadata('llama'), ...keys } : keys, Object.fromEntries(own));
    paths.push(path);
  }
  return paths;
}

describe('a split', () => {
  it.each<[string, number, boolean]>([
    ['one file', 1, false],
    ['two files', 2, false],
    ['three files', 3, false],
    ['a first file without tensors', 3, true],
    ['a file for each tensor', 11, false],
    ['more files than tensors', 12, false],
  ])('is read as one by its first file: %s', async (_what, parts, emptyFirst) => {
    const whole = await readWeights((await convertGguf()).directory);
    const [first] = await split(parts, { emptyFirst });
    expect(await readWeights((await convertFile(first!)).directory)).toEqual(whole);
  });

  it.each<[string, () => Promise<string>, string | RegExp]>([
    [
      'its second file',
      async () => (await split(3))[1]!,
      /is file 2 of a split of 3: give the first one, tiny-00001-of-00003\.gguf$/,
    ],
    [
      'its last file',
      async () => (await split(2))[1]!,
      'is file 2 of a split of 2: give the first one, tiny-00001-of-00002.gguf',
    ],
    [
      'a missing file',
      async () => {
        const [first, , third] = await split(3);
        await rm(third!);
        return first!;
      },
      /tiny-00003-of-00003\.gguf is not there$/,
    ],
    [
      'another name',
      async () => {
        const [first] = await split(2);
        const other = join(dirname(first!), 'model.gguf');
        await rename(first!, other);
        return other;
      },
      /model\.gguf is file 1 of a split of 2: name them NAME-00001-of-00002\.gguf/,
    ],
    [
      'a file of another number',
      async () => (await split(3, { change: (part) => (part === 1 ? { 'split.no': 2 } : {}) }))[0]!,
      'should be file 2 of a split of 3, but says that it is 3 of 3',
    ],
    [
      'a file of no split',
      async () => {
        const paths = await split(2);
        await writeGguf(paths[1]!, metadata('llama'), tensors());
        return paths[0]!;
      },
      'should be file 2 of a split of 2, but says that it is 1 of 0',
    ],
    [
      'a tensor too few',
      async () => (await split(2, { change: () => ({ 'split.tensors.count': 12 }) }))[0]!,
      'is of a split of 12 tensors, but its files have 11',
    ],
    [
      'a tensor twice',
      async () => {
        const paths = await split(2, { change: () => ({ 'split.tensors.count': 0 }) });
        const stored = { 'token_embd.weight': tensors()['token_embd.weight']! };
        await writeGguf(paths[1]!, { 'split.no': 1, 'split.count': 2 }, stored);
        return paths[0]!;
      },
      'has token_embd.weight, which was there already',
    ],
    [
      'a file that is none',
      async () => {
        const paths = await split(2);
        await writeFile(paths[1]!, 'version https://git-lfs.github.com/spec/v1');
        return paths[0]!;
      },
      'tiny-00002-of-00002.gguf is not a readable GGUF file',
    ],
  ])('is refused in one sentence: %s', async (_what, path, message) => {
    const converted = convertFile(await path());
    await expect(converted).rejects.toThrow(message);
    await expect(converted).rejects.toMatchObject({ name: 'ConversionError' });
  });
});

describe('a file', () => {
  /** Changes the offset that the header gives a tensor. */
  async function moved(tensor: string, by: bigint): Promise<string> {
    const path = await writeTinyGguf(metadata('llama'), tensors());
    const bytes = await readFile(path);
    // Name, number of dimensions, dimensions, type, offset.
    const { dimensions } = tensors()[tensor]!;
    const at = bytes.indexOf(tensor) + tensor.length + 4 + dimensions.length * 8 + 4;
    bytes.writeBigUInt64LE(bytes.readBigUInt64LE(at) + by, at);
    await writeFile(path, bytes);
    return path;
  }

  it.each<[string, () => Promise<string>, string | RegExp]>([
    [
      'with a hole between two tensors',
      () => moved('output_norm.weight', 32n),
      /output_norm\.weight is at offset \d+; after the tensor before it/,
    ],
    ['with two tensors that overlap', () => moved('blk.0.attn_q.weight', -32n), 'blk.0.attn_q.weight is at offset'],
    [
      'that begins with a hole',
      () => moved('token_embd.weight', 64n),
      'token_embd.weight is at offset 64; after the tensor before it, 0',
    ],
    [
      'with a tensor far outside',
      () => moved('blk.0.ffn_down.weight', 1n << 40n),
      'blk.0.ffn_down.weight is at offset',
    ],
    [
      'cut off',
      async () => {
        const path = await writeTinyGguf(metadata('llama'), tensors());
        await writeFile(path, (await readFile(path)).subarray(0, -100));
        return path;
      },
      /tiny\.gguf ends at byte \d+, inside blk\.0\.ffn_down\.weight: it is cut off/,
    ],
    [
      'with rows of part of a block',
      () =>
        writeTinyGguf(metadata('llama'), {
          ...tensors(),
          'blk.0.attn_v.weight': { type: 12, dimensions: [32, 16], bytes: new Uint8Array(288) },
        }),
      'blk.0.attn_v.weight has rows of 32, not a multiple of the 256 of Q4_K',
    ],
  ])('is refused: %s', async (_what, path, message) => {
    const source = await path();
    expect(basename(source)).toBe('tiny.gguf');
    await expect(convertFile(source)).rejects.toThrow(message);
  });

  it.each([[[]], [[3, 2, 1]], [[1, 1, 1, 1]]])('with a tensor of no place is refused: shape %j', async (dimensions) => {
    const length = dimensions.reduce((product: number, n) => product * n, 1);
    const stored = { ...tensors(), 'blk.0.extra': { type: 0, dimensions, bytes: new Uint8Array(4 * length) } };
    await expect(convertGguf({}, stored)).rejects.toThrow('blk.0.extra has no place');
  });
});
