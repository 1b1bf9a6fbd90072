/** `--drafts`: the base's bytes stay, the adapters come in shards of their own, and another model's adapter is refused. */
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type ConvertOptions, convert } from '../../src/convert/convert.ts';
import { readModelConfig } from '../../src/model/weight-source.ts';
import { readManifest } from '../../src/model/weights.ts';
import { directorySource } from '../../src/sources/directory.ts';
import { fixture } from '../support/engines/models.ts';

const out = await mkdtemp(join(tmpdir(), 'seedling-drafts-'));
const adapterOf = (name: string) => join(fixture(name), 'drafts.safetensors');
const options = (name: string, more: Partial<ConvertOptions> = {}): ConvertOptions => {
  return { name, out, dtype: 'int4', embedding: 'int4', semantics: {}, ...more };
};

test('the base stays byte for byte, and a converted model takes drafts as its checkpoint does', async () => {
  const drafts = adapterOf('tiny-llama');
  await convert(fixture('tiny-llama'), options('plain'));
  await convert(fixture('tiny-llama'), options('drafting', { drafts }));
  await convert(join(out, 'plain'), options('again', { drafts }));

  const files = async (name: string) => {
    const names = (await readdir(join(out, name))).filter((file) => file !== 'config.json' && file !== 'manifest.json');
    const contents = await Promise.all(names.map((file) => readFile(join(out, name, file), 'hex')));
    return Object.fromEntries(names.map((file, i) => [file, contents[i]]));
  };
  const { 'drafts-000.bin': adapters, ...base } = await files('drafting');
  expect(adapters?.length).toBeGreaterThan(0);
  expect(base).toEqual(await files('plain'));
  expect(await files('again')).toEqual(await files('drafting'));

  const [plain, drafting, again] = ['plain', 'drafting', 'again'].map((name) => directorySource(join(out, name)));
  expect(await readManifest(again!)).toEqual(await readManifest(drafting!));
  // The two conversions may stand in different seconds.
  const { created } = await readModelConfig(plain!);
  expect(await readModelConfig(again!)).toEqual({ ...(await readModelConfig(drafting!)), name: 'again', created });
  expect((await readModelConfig(plain!)).drafts).toBeNull();
  expect((await readModelConfig(drafting!)).drafts).toEqual({ rank: 4 });
  const tensors = (await readManifest(drafting!)).tensors.slice((await readManifest(plain!)).tensors.length);
  expect(tensors).toHaveLength(2 * 7 * 2);
  expect(tensors.map(({ type }) => type)).toEqual(tensors.map(() => 'int4'));
  expect(tensors.slice(0, 2).map(({ name, shape }) => [name, shape])).toEqual([
    ['model.layers.0.self_attn.q_proj.drafts.lora_a', [4, 64]],
    // The rank is filled up to a whole group of 32.
    ['model.layers.0.self_attn.q_proj.drafts.lora_b', [64, 32]],
  ]);
});

test('large adapters are split into shards as weights are', async () => {
  const drafts = adapterOf('tiny-llama');
  const { shards } = await convert(fixture('tiny-llama'), options('split', { drafts, shardLimit: 16 * 1024 }));
  expect(shards.filter(({ file }) => file.startsWith('drafts-')).length).toBeGreaterThan(1);
});

describe('refused, and the old model stays', () => {
  test.each([
    ['an adapter of another model', 'tiny-llama', adapterOf('tiny-qwen3'), 'the adapter is of another model'],
    ['a checkpoint', 'tiny-llama', join(fixture('tiny-llama'), 'model.safetensors'), 'has no rank in its metadata'],
    ['no file', 'tiny-llama', '/nowhere.safetensors', 'is not there'],
    ['a file of another format', 'tiny-llama', join(fixture('tiny-llama'), 'config.json'), 'is not a safetensors file'],
  ])('%s', async (_, base, drafts, words) => {
    await convert(fixture('tiny-llama'), options('kept'));
    const before = await readFile(join(out, 'kept', 'manifest.json'), 'utf8');
    await expect(convert(fixture(base), options('kept', { drafts }))).rejects.toThrow(words);
    expect(await readFile(join(out, 'kept', 'manifest.json'), 'utf8')).toBe(before);
  });

  test('a converted model without --drafts, and one that has drafts', async () => {
    const drafts = adapterOf('tiny-llama');
    await convert(fixture('tiny-llama'), options('one', { drafts }));
    await expect(convert(join(out, 'one'), options('two'))).rejects.toThrow('is a converted model already');
    await expect(convert(join(out, 'one'), options('two', { drafts }))).rejects.toThrow('has drafts already');
  });
});
