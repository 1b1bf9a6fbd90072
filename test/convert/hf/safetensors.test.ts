/** What is refused here, `safe_open` of safetensors 0.8 refuses; what is read, it reads. Header texts are written by hand. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { convert } from '../../../src/convert/convert.ts';
import { SafetensorsReader } from '../../../src/convert/hf/safetensors.ts';
import { readWeights } from '../support/read-model.ts';
import { f32Tensor, type StoredTensor, writeSafetensors } from '../support/safetensors-file.ts';
import { CONFIG, temporaryDirectory, tinyTensors, writeCheckpoint } from '../support/tiny-checkpoint.ts';

const INDEX = 'model.safetensors.index.json';

/** @param claimed the header's length as the file says it */
async function fileOf(header: string | Uint8Array, bytes: number, claimed?: bigint): Promise<string> {
  const directory = await temporaryDirectory();
  const text = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const length = new Uint8Array(BigUint64Array.of(claimed ?? BigInt(text.byteLength)).buffer);
  const data = Uint8Array.from({ length: bytes }, (_, i) => i);
  await writeFile(join(directory, 'model.safetensors'), Buffer.concat([length, text, data]));
  return directory;
}

/** Converts without quantizing. */
const run = async (source: string) =>
  convert(source, { name: 'tiny', out: await temporaryDirectory(), dtype: 'f32', embedding: 'f32', semantics: {} });

const entry = (first: number, end: number, shape: readonly number[] = [2], dtype = 'F32') =>
  `{"dtype":"${dtype}","shape":[${shape}],"data_offsets":[${first},${end}]}`;
const A = entry(0, 8);

describe('a safetensors file', () => {
  it.each<[string, string | Uint8Array, number, string | RegExp, bigint?]>([
    ['short offsets', `{"a":${entry(0, 4)}}`, 4, /a is F32 of shape \[2\], 8 bytes, but its data_offsets hold 4/],
    ['long offsets', `{"a":${entry(0, 16)}}`, 16, 'hold 16'],
    ['reversed offsets', `{"a":${entry(8, 0)}}`, 8, 'a: data_offsets [8, 0] are reversed'],
    ['shared offsets', `{"a":${A},"b":${A}}`, 8, 'b: data_offsets [0, 8] overlap'],
    ['overlapping offsets', `{"a":${A},"b":${entry(4, 12)}}`, 12, 'b: data_offsets [4, 12] overlap'],
    ['a hole before the first', `{"a":${entry(8, 16)}}`, 16, 'leave a hole'],
    ['a hole between two', `{"a":${A},"b":${entry(16, 24)}}`, 24, 'b: data_offsets [16, 24] leave a hole'],
    ['no bytes, in the middle of another', `{"a":${A},"b":${entry(4, 4, [0])}}`, 8, 'data_offsets'],
    ['offsets past the file', `{"a":${A},"b":${entry(8, 16)}}`, 8, /ends at byte \d+: it is cut off/],
    ['bytes of no tensor', `{"a":${A}}`, 16, 'has 8 bytes after its last tensor'],
    ['bytes and no tensor', '{}', 8, 'has 8 bytes after its last tensor'],
    ['negative offsets', `{"a":${entry(-8, 0)}}`, 8, 'data_offsets'],
    ['three offsets', '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}}', 8, 'data_offsets'],
    ['offsets with a fraction', '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0.0,8.0]}}', 8, 'data_offsets'],
    ['offsets with an exponent', '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8e0]}}', 8, 'data_offsets'],
    ['a shape with a fraction', '{"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}', 8, 'shape'],
    ['an entry that is null', '{"a":null}', 0, 'a'],
    ['no shape', '{"a":{"dtype":"F32","data_offsets":[0,8]}}', 8, 'shape'],
    ['a shape that is too large to count', `{"a":${entry(0, 8, [2 ** 40, 2 ** 40])}}`, 8, 'data_offsets hold 8'],
    ['an unknown type', `{"a":${entry(0, 8, [2], 'F31')}}`, 8, 'dtype F31'],
    ['half a byte', `{"a":${entry(0, 2, [3], 'F4')}}`, 2, 'F4 of shape [3]'],
    ['a name twice', `{"a":${A},"a":${entry(8, 16)}}`, 16, 'has a twice'],
    ['a name twice, spelled two ways', `{"a":${A},"\\u0061":${entry(8, 16)}}`, 16, 'has a twice'],
    ['a field twice', '{"a":{"dtype":"F32","dtype":"F16","shape":[2],"data_offsets":[0,8]}}', 8, 'has dtype twice'],
    ['metadata twice', `{"__metadata__":{"x":"y"},"__metadata__":{},"a":${A}}`, 8, 'has __metadata__ twice'],
    ['metadata that is not text', `{"__metadata__":{"x":1},"a":${A}}`, 8, '__metadata__'],
    ['a header longer than the file', `{"a":${A}}`, 8, 'its header would have 1000000 bytes', 1_000_000n],
    ['a header longer than all files', `{"a":${A}}`, 8, '18446744073709551615', 2n ** 64n - 1n],
    ['a header that ends early', `{"a":${A}}`, 8, 'its header is not JSON', 10n],
    ['a header that ends late', `{"a":${A}}`, 8, 'its header is not JSON', BigInt(`{"a":${A}}`.length + 1)],
    ['an empty header', '', 8, 'its header is not JSON'],
    ['a list', '[1]', 8, 'is not a JSON object'],
    ['a byte-order mark', `\ufeff{"a":${A}}`, 8, 'its header is not JSON'],
    ['another encoding', Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d), 8, 'its header is not UTF-8'],
    ["what Python's json alone reads", `{"__metadata__":{"x":Infinity},"a":${A}}`, 8, 'its header is not JSON'],
  ])('is refused for %s', async (_what, header, bytes, message, claimed) => {
    const opened = SafetensorsReader.open(await fileOf(header, bytes, claimed));
    await expect(opened).rejects.toThrow(message);
    await expect(opened).rejects.toMatchObject({ name: 'ConversionError' });
  });

  it.each<[string, string, number, Record<string, number[]>]>([
    ['one tensor', `{"a":${A}}`, 8, { a: [2] }],
    ['space around the header', ` {"a":${A}}   `, 8, { a: [2] }],
    ['names in another order than bytes', `{"b":${entry(8, 16)},"a":${A}}`, 16, { a: [2], b: [2] }],
    [
      'tensors without an element',
      `{"a":${A},"c":${entry(8, 8, [0])},"b":${entry(8, 16)}}`,
      16,
      {
        a: [2],
        b: [2],
        c: [0],
      },
    ],
    ['a scalar', `{"a":${entry(0, 4, [])}}`, 4, { a: [] }],
    [
      'fields of a later version',
      '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"more":{"dtype":1}}}',
      8,
      {
        a: [2],
      },
    ],
    ['a name that holds braces and quotes', `{"a{\\"}":${A}}`, 8, { 'a{"}': [2] }],
    ['metadata that is null', `{"__metadata__":null,"a":${A}}`, 8, { a: [2] }],
    [
      'every size of element',
      `{"a":${entry(0, 3, [4], 'F6_E2M3')},"b":${entry(3, 4, [2], 'F4')},"c":${entry(4, 20, [2], 'C64')}}`,
      20,
      {
        a: [4],
        b: [2],
        c: [2],
      },
    ],
  ])('is read with %s', async (_what, header, bytes, shapes) => {
    const reader = await SafetensorsReader.open(await fileOf(header, bytes));
    expect(Object.fromEntries(reader.shapes)).toEqual(shapes);
    await reader.close();
  });

  it('has its rows where its offsets say', async () => {
    const reader = await SafetensorsReader.open(await fileOf(`{"b":${entry(8, 16)},"a":${A}}`, 16));
    const bytes = new Uint8Array((await reader.readRows('b', 1, 2)).slice().buffer);
    expect([...bytes]).toEqual([12, 13, 14, 15]);
    await reader.close();
  });
});

describe('the index of several files', () => {
  const NAMES = Object.keys(tinyTensors());
  const stale = (name: string) => {
    const { shape } = tinyTensors()[name]!;
    return f32Tensor(shape, new Float32Array(shape.reduce((product, n) => product * n, 1)).fill(9));
  };
  /** The first file has the first half of the tensors, the second the rest. */
  const PLACES: Record<string, string> = Object.fromEntries(
    NAMES.map((name, i) => [name, i < NAMES.length / 2 ? '1.safetensors' : '2.safetensors']),
  );
  /** The converter leaves such a table out. */
  const ROPE = 'model.layers.0.self_attn.rotary_emb.inv_freq';
  const FIRST = NAMES[0]!;
  const LAST = NAMES.at(-1)!;

  /** @param extra tensors by file, besides those that it should have */
  async function sharded(extra: Record<string, Record<string, StoredTensor>>, places = PLACES): Promise<string> {
    const source = await writeCheckpoint(CONFIG, {});
    await rm(join(source, 'model.safetensors'));
    for (const file of ['1.safetensors', '2.safetensors', '3.safetensors']) {
      const own = Object.entries(tinyTensors()).filter(([name]) => PLACES[name] === file);
      const all = { ...Object.fromEntries(own), ...extra[file] };
      if (Object.keys(all).length > 0) await writeSafetensors(join(source, file), all);
    }
    await writeFile(join(source, INDEX), JSON.stringify({ metadata: {}, weight_map: places }));
    return source;
  }
  it.each<[string, Record<string, Record<string, StoredTensor>>, Record<string, string>?]>([
    ['a stale copy in the second file', { '2.safetensors': { [FIRST]: stale(FIRST) } }],
    ['a stale copy in the first file', { '1.safetensors': { [LAST]: stale(LAST) } }],
    ['both', { '1.safetensors': { [LAST]: stale(LAST) }, '2.safetensors': { [FIRST]: stale(FIRST) } }],
    ['a stale copy with another shape', { '2.safetensors': { [FIRST]: f32Tensor([3, 2, 1], new Float32Array(6)) } }],
    [
      'a stale copy in a third file, which holds another tensor',
      { '3.safetensors': { [FIRST]: stale(FIRST), [ROPE]: f32Tensor([1], new Float32Array(1)) } },
      { ...PLACES, [ROPE]: '3.safetensors' },
    ],
    ['a stale copy in a file that it does not list', { '3.safetensors': { [FIRST]: stale(FIRST) } }],
    ['nothing stale', {}],
  ])('decides where a tensor is: %s', async (_what, extra, places) => {
    const weights = await readWeights((await run(await sharded(extra, places))).directory);
    expect(weights.size).toBe(NAMES.length);
    for (const [name, { bytes }] of Object.entries(tinyTensors())) {
      expect(weights.get(name), name).toEqual([...new Float32Array(bytes.buffer)]);
    }
  });

  it.each<[string, () => Promise<string>, string | RegExp]>([
    [
      'a file that is missing',
      async () => {
        const source = await sharded({});
        await rm(join(source, '2.safetensors'));
        return source;
      },
      /^\S*\/2\.safetensors is not there$/,
    ],
    [
      'a file that was never there',
      () => sharded({}, { ...PLACES, [LAST]: '9.safetensors' }),
      '9.safetensors is not there',
    ],
    ['a directory as its file', () => sharded({}, { ...PLACES, [LAST]: '.' }), 'is not a file'],
    [
      'a tensor placed in the wrong file',
      () => sharded({}, { ...PLACES, [FIRST]: '2.safetensors' }),
      `${INDEX} places ${FIRST} in 2.safetensors, which lacks it`,
    ],
    [
      'a tensor that no file has',
      () => sharded({}, { ...PLACES, extra: '1.safetensors' }),
      'places extra in 1.safetensors',
    ],
    [
      'a tensor that it does not list',
      () => sharded({ '2.safetensors': { 'model.norm.bias': f32Tensor([64], new Float32Array(64)) } }),
      `2.safetensors has model.norm.bias, which ${INDEX} does not list`,
    ],
    ['places that are no names', () => sharded({}, { ...PLACES, [LAST]: 2 as unknown as string }), 'weight_map'],
    [
      'a file cut off',
      async () => {
        const source = await sharded({});
        const file = join(source, '1.safetensors');
        await writeFile(file, (await readFile(file)).subarray(0, -4));
        return source;
      },
      /1\.safetensors ends at byte \d+: it is cut off/,
    ],
  ])('refuses %s in one sentence', async (_what, source, message) => {
    const converted = run(await source());
    await expect(converted).rejects.toThrow(message);
    await expect(converted).rejects.toMatchObject({ name: 'ConversionError' });
  });
});

describe('a tensor without a place', () => {
  it.each([
    ['0 dimensions', []],
    ['1 dimension', [3]],
    ['1 dimension and no element', [0]],
    ['2 dimensions', [3, 2]],
    ['3 dimensions', [3, 2, 1]],
    ['3 dimensions and no element', [3, 0, 1]],
    ['4 dimensions', [1, 3, 2, 1]],
  ])('of %s is refused', async (_what, shape) => {
    const values = new Float32Array(shape.reduce((product, n) => product * n, 1));
    const source = await writeCheckpoint(CONFIG, {
      ...tinyTensors(),
      'model.layers.0.scale': f32Tensor(shape, values),
    });
    const converted = run(source);
    await expect(converted).rejects.toThrow('model.layers.0.scale has no place');
  });

  it.each([[[]], [[64, 1]], [[1, 64]], [[1, 1, 64]], [[8, 8]], [[63]]])(
    'of a known name needs its shape: %j',
    async (shape) => {
      const values = new Float32Array(shape.reduce((product: number, n) => product * n, 1));
      const source = await writeCheckpoint(CONFIG, { ...tinyTensors(), 'model.norm.weight': f32Tensor(shape, values) });
      const converted = run(source);
      await expect(converted).rejects.toThrow(`model.norm.weight has shape [${shape}]; the configuration needs [64]`);
    },
  );
});
