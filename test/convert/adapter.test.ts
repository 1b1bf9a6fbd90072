/** `--adapter`: LoRA merged as PEFT's merge_and_unload does (`python -m recipe adapters`). */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { type Conversion, convert } from '../../src/convert/convert.ts';
import { decisions } from '../../src/convert/decisions.ts';
import { directorySource } from '../../src/sources/directory.ts';
import { fixture, scalarModel } from '../support/engines/models.ts';
import { readWeights } from './support/read-model.ts';
import { f32Tensor, writeSafetensors } from './support/safetensors-file.ts';

interface Golden {
  readonly base: string;
  readonly every: number;
  /** Every `every`th weight of each tensor that the adapter changes. */
  readonly changed: Readonly<Record<string, readonly number[]>>;
  readonly ids: readonly number[];
  /** Of the last id, causal. (V) */
  readonly logits: readonly number[];
}

const ADAPTERS = await readdir(fixture('adapters'));
const adapterDirectory = (name: string) => fixture(`adapters/${name}`);
const golden = async (name: string): Promise<Golden> =>
  JSON.parse(await readFile(join(adapterDirectory(name), 'golden.json'), 'utf8'));
const temporary = () => mkdtemp(join(tmpdir(), 'seedling-adapter-'));

async function run(base: string, adapter: string | undefined, weightsPerRead = 1 << 20): Promise<Conversion> {
  const settings = { name: 'tiny', out: await temporary(), dtype: 'f32', embedding: 'f32' } as const;
  return convert(fixture(base), { ...settings, adapter, semantics: {}, weightsPerRead });
}

describe.each(ADAPTERS)('%s', async (name) => {
  const { base, every, changed, ids, logits } = await golden(name);
  const conversion = await run(base, adapterDirectory(name));
  const merged = await readWeights(conversion.directory);

  test('weights are those of merge_and_unload, and no other changes', async () => {
    const plain = await readWeights((await run(base, undefined)).directory);
    for (const [tensor, values] of merged) {
      const expected = changed[tensor];
      if (expected === undefined) {
        // An embedding that was tied is the LM head from then on.
        expect(values, tensor).toEqual(plain.get(tensor) ?? plain.get('model.embed_tokens.weight'));
        continue;
      }
      const found = values.filter((_, i) => i % every === 0);
      expect(found.length).toBe(expected.length);
      for (const [i, value] of found.entries()) expect(Math.abs(value - expected[i]!), tensor).toBeLessThan(1e-6);
    }
    expect([...merged.keys()]).toEqual(expect.arrayContaining(Object.keys(changed)));
  });

  test('rows that are read a few at a time are the same', async () => {
    const pieces = await readWeights((await run(base, adapterDirectory(name), 7 * 64)).directory);
    expect(pieces).toEqual(merged);
  });

  test('logits are those of the merged model', async () => {
    const model = await scalarModel(directorySource(conversion.directory));
    const cache = model.createCache(ids.length) as Parameters<typeof model.logits>[1];
    const visible = Int32Array.from(ids, (_, i) => i + 1);
    const found = model.logits(Int32Array.from(ids), cache, visible).at(-1)!;
    for (const [i, value] of logits.entries()) expect(Math.abs(found[i]! - value)).toBeLessThan(1e-3);
  });

  it('is named in what was decided', () => {
    expect(decisions(conversion)).toMatch(/^adapter {3}.*: rank \d+ over \d+ matrices/m);
  });
});

test('an LM head that the adapter saves is no longer tied', async () => {
  expect((await run('tiny-llama', adapterDirectory('saved'))).config.tieWordEmbeddings).toBe(false);
  expect((await run('tiny-llama', adapterDirectory('saved-embedding'))).config.tieWordEmbeddings).toBe(false);
  expect((await run('tiny-llama', adapterDirectory('attention'))).config.tieWordEmbeddings).toBe(true);
});

describe('what the merge does not follow is refused by name', () => {
  async function changedAdapter(changes: object): Promise<string> {
    const directory = await temporary();
    await cp(adapterDirectory('attention'), directory, { recursive: true });
    const path = join(directory, 'adapter_config.json');
    const config: object = JSON.parse(await readFile(path, 'utf8'));
    await writeFile(path, JSON.stringify({ ...config, ...changes }));
    return directory;
  }

  test.each<[object, string]>([
    [{ use_dora: true }, 'use_dora'],
    [{ bias: 'all' }, 'bias'],
    [{ bias: 'lora_only' }, 'bias'],
    [{ lora_bias: true }, 'lora_bias'],
    [{ fan_in_fan_out: true }, 'fan_in_fan_out'],
    [{ layer_replication: [[0, 2]] }, 'layer_replication'],
    [{ use_qalora: true }, 'use_qalora'],
    [{ trainable_token_indices: [1, 2] }, 'trainable_token_indices'],
    [{ target_parameters: ['mlp.experts'] }, 'target_parameters'],
    [{ alora_invocation_tokens: [1] }, 'alora_invocation_tokens'],
    [{ arrow_config: { top_k: 3 } }, 'arrow_config'],
    [{ something_new: 1 }, 'something_new'],
    [{ init_lora_weights: 'pissa' }, 'init_lora_weights'],
    [{ init_lora_weights: 'olora' }, 'init_lora_weights'],
    [{ peft_type: 'IA3' }, 'peft_type'],
    [{ r: 0 }, 'r'],
    [{ r: 8 }, 'rank 8 over model.layers.0.self_attn.q_proj.weight needs [8,64]'],
    [{ rank_pattern: { 'layers.1.self_attn.v_proj': 2 } }, 'rank 2 over model.layers.1.self_attn.v_proj.weight'],
    [{ rank_pattern: { '(': 2 } }, 'rank_pattern has a pattern'],
    [{ target_modules: ['k_proj'] }, 'target_modules does not name'],
    [{ target_modules: '.*v_proj' }, 'target_modules does not name'],
    [{ modules_to_save: ['lm_head'] }, 'modules_to_save has lm_head'],
  ])('%j', async (changes, reason) => {
    await expect(run('tiny-llama', await changedAdapter(changes))).rejects.toThrow(reason);
  });

  test('a base of another shape or with one matrix for both ends', async () => {
    await expect(run('families/sdar', adapterDirectory('attention'))).rejects.toThrow(/lora_.* has shape \[4,64\]/);
    const tied = await temporary();
    await cp(adapterDirectory('attention'), tied, { recursive: true });
    await writeFile(
      join(tied, 'adapter_config.json'),
      JSON.stringify({ peft_type: 'LORA', r: 2, lora_alpha: 2, target_modules: ['lm_head'] }),
    );
    await writeSafetensors(join(tied, 'adapter_model.safetensors'), {
      'base_model.model.lm_head.lora_A.weight': f32Tensor([2, 64], new Float32Array(128)),
      'base_model.model.lm_head.lora_B.weight': f32Tensor([264, 2], new Float32Array(528)),
    });
    await expect(run('tiny-llama', tied)).rejects.toThrow('embedding and LM head are one matrix');
  });

  test.each(['adapter_config.json', 'adapter_model.safetensors'])('a directory without %s', async (file) => {
    const directory = await changedAdapter({});
    await rm(join(directory, file));
    await expect(run('tiny-llama', directory)).rejects.toThrow(`has no ${file}`);
  });

  test.each([
    ['base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight', 'without'],
    ['base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector', 'the merge does not follow'],
    ['base_model.model.model.layers.0.self_attn.z_proj.weight', 'which the checkpoint lacks'],
    ['model.layers.0.self_attn.q_proj.lora_A.weight', 'does not begin with base_model.model.'],
  ])('a file with %s alone', async (name, reason) => {
    const directory = await changedAdapter({});
    await writeSafetensors(join(directory, 'adapter_model.safetensors'), {
      ...(reason.startsWith('which') && {
        'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight': f32Tensor([4, 64], new Float32Array(256)),
        'base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight': f32Tensor([64, 4], new Float32Array(256)),
      }),
      ...(reason.startsWith('the merge') && {
        'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight': f32Tensor([4, 64], new Float32Array(256)),
        'base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight': f32Tensor([64, 4], new Float32Array(256)),
      }),
      [name]: f32Tensor([4, 64], new Float32Array(256)),
    });
    await expect(run('tiny-llama', directory)).rejects.toThrow(reason);
  });
});
