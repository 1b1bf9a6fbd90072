/** Missing, cut, padded, flipped and mislabelled files: each names the file that is at fault. */
import { expect, test } from 'vitest';
import { ModelLoadError } from '../../src/model/errors.ts';
import { readModelConfig, type WeightSource } from '../../src/model/weight-source.ts';
import { convertFixture, wasmModel } from '../support/engines/models.ts';

const good = await convertFixture('tiny-llama', 'int4');

/** `good` with one file's bytes or JSON changed. */
function altered(file: string, change: (content: never) => unknown): WeightSource {
  return {
    async json(name) {
      const json = await good.json(name);
      return name === file ? change(structuredClone(json) as never) : json;
    },
    async stream(name) {
      if (name !== file) return good.stream(name);
      const bytes = new Uint8Array(await new Response(await good.stream(name)).arrayBuffer());
      return new Response(change(bytes as never) as BodyInit).body as ReadableStream<Uint8Array>;
    },
  };
}

const flip = (bytes: Uint8Array) => bytes.map((byte, i) => (i === 777 ? byte ^ 1 : byte));

test.each([
  ['cut', (bytes: Uint8Array) => bytes.slice(0, -1), /weights-000\.bin has \d+ bytes, the manifest says \d+/],
  ['padded', (bytes: Uint8Array) => Uint8Array.of(...bytes, 0), /weights-000\.bin is longer than/],
  ['flipped', flip, /weights-000\.bin is corrupt: sha256/],
])('a shard that is %s', async (_what, change, message) => {
  const loading = wasmModel(altered('weights-000.bin', change as never), 'relaxed-simd');
  await expect(loading).rejects.toThrow(ModelLoadError);
  await expect(loading).rejects.toThrow(message);
});

test('the same source loads once the shard is right again', async () => {
  let broken = true;
  const source = altered('weights-000.bin', ((bytes: Uint8Array) => (broken ? flip(bytes) : bytes)) as never);
  await expect(wasmModel(source, 'relaxed-simd')).rejects.toThrow(/corrupt/);
  broken = false;
  expect((await wasmModel(source, 'relaxed-simd')).config.name).toBe('tiny-llama');
});

interface ManifestJson {
  format: string;
  shards: { file: string }[];
  tensors: { name: string; type: string; shape: number[]; parts: { shard: number; data: number; rows: number[] }[] }[];
}

test.each([
  ['another format', (m: ManifestJson) => ({ ...m, format: 'x' }), /manifest\.json is not valid: format/],
  ['a path for a file', (m: ManifestJson) => ({ ...m, shards: [{ ...m.shards[0], file: '../x' }] }), /not valid/],
  ['a tensor left out', (m: ManifestJson) => ({ ...m, tensors: m.tensors.slice(1) }), /embed_tokens.weight is missing/],
  [
    'a part outside its shard',
    (m: ManifestJson) => {
      (m.tensors[0] as ManifestJson['tensors'][0]).parts[0] = { shard: 0, rows: [0, 264], data: 1 << 30 };
      return m;
    },
    /embed_tokens\.weight (has no scales|reaches outside)/,
  ],
  [
    'rows left out',
    (m: ManifestJson) => {
      const part = m.tensors[0]?.parts[0];
      if (part) part.rows = [0, 200];
      return m;
    },
    /has 264 rows but parts for 200/,
  ],
  [
    'another shape',
    (m: ManifestJson) => {
      const norm = m.tensors.find((t) => t.name === 'model.norm.weight');
      if (norm) {
        norm.shape = [32];
        norm.parts = norm.parts.map((part) => ({ ...part, rows: [0, 32] }));
      }
      return m;
    },
    /model\.norm\.weight is 32 x 1, config\.json asks for 64 x 1/,
  ],
])('a manifest with %s', async (_what, change, message) => {
  const loading = wasmModel(altered('manifest.json', change as never), 'simd');
  await expect(loading).rejects.toThrow(ModelLoadError);
  await expect(loading).rejects.toThrow(message);
});

test('a config that is not one', async () => {
  const source = altered('config.json', ((config: object) => ({ ...config, maskTokenId: 9999 })) as never);
  await expect(readModelConfig(source)).rejects.toThrow(/config\.json is not valid: maskTokenId 9999/);
});
