import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ConvertOptions, convert, convertCheckpoint, openCheckpoint } from '../../src/convert/convert.ts';
import { parseModelConfig } from '../../src/model/config.ts';
import { readManifest, readWeights } from './support/read-model.ts';
import { f32Tensor, writeSafetensors } from './support/safetensors-file.ts';
import { CONFIG, TOKENIZER, temporaryDirectory, tinyTensors, writeCheckpoint } from './support/tiny-checkpoint.ts';

async function options(changes: Partial<ConvertOptions> = {}): Promise<ConvertOptions> {
  return { name: 'tiny', out: await temporaryDirectory(), dtype: 'f32', embedding: 'f32', semantics: {}, ...changes };
}

function sourceValues(name: string): number[] {
  const { bytes } = tinyTensors()[name]!;
  return [...new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)];
}

const relativeRms = (expected: number[], actual: number[]) =>
  Math.sqrt(
    expected.reduce((sum, x, i) => sum + (x - actual[i]!) ** 2, 0) / expected.reduce((sum, x) => sum + x * x, 0),
  );

describe('convert', () => {
  it('keeps float32 weights bit for bit, in the order of a forward pass', async () => {
    const { directory } = await convert(await writeCheckpoint(), await options());
    const weights = await readWeights(directory);
    const layer = (n: number) =>
      [
        'input_layernorm',
        'self_attn.q_proj',
        'self_attn.k_proj',
        'self_attn.v_proj',
        'self_attn.o_proj',
        'post_attention_layernorm',
        'mlp.gate_proj',
        'mlp.up_proj',
        'mlp.down_proj',
      ].map((module) => `model.layers.${n}.${module}.weight`);
    expect([...weights.keys()]).toEqual(['model.embed_tokens.weight', ...layer(0), ...layer(1), 'model.norm.weight']);
    for (const [name, values] of weights) expect(values, name).toEqual(sourceValues(name));
  });

  it.each([
    ['int4', 0.12],
    ['int8', 0.01],
  ] as const)('quantizes matrices to %s and leaves vectors alone', async (dtype, bound) => {
    const conversion = await convert(await writeCheckpoint(), await options({ dtype, embedding: dtype }));
    const weights = await readWeights(conversion.directory);
    for (const { name, type, shape } of (await readManifest(conversion.directory)).tensors) {
      const error = relativeRms(sourceValues(name), weights.get(name)!);
      expect(type, name).toBe(shape.length === 1 ? 'f32' : dtype);
      if (type === 'f32') expect(error, name).toBe(0);
      else expect(error, name).toBeLessThan(bound);
    }
    const embedding = conversion.errors.find(({ name }) => name === 'embed_tokens')!;
    const name = 'model.embed_tokens.weight';
    expect(embedding.relativeRms).toBeCloseTo(relativeRms(sourceValues(name), weights.get(name)!), 6);
  });

  it('writes the same weights whatever the shard limit and the size of a read', async () => {
    const source = await writeCheckpoint();
    const settings = { dtype: 'int4', embedding: 'int8' } as const;
    const whole = await convert(source, await options(settings));
    const split = await convert(source, await options({ ...settings, shardLimit: 1500, weightsPerRead: 100 }));
    expect(whole.shards.length).toBe(1);
    expect(split.shards.length).toBeGreaterThan(10);
    for (const shard of split.shards) expect(shard.bytes).toBeLessThan(1500);
    expect(await readWeights(split.directory)).toEqual(await readWeights(whole.directory));
  });

  it('records the size and sha256 of every shard', async () => {
    const { directory } = await convert(await writeCheckpoint(), await options({ shardLimit: 20000 }));
    const { format, shards } = await readManifest(directory);
    expect(format).toBe('seedling-weights-1');
    expect(shards.length).toBeGreaterThan(3);
    for (const { file, bytes, sha256 } of shards) {
      const content = await readFile(join(directory, file));
      expect(content.byteLength).toBe(bytes);
      expect(createHash('sha256').update(content).digest('hex')).toBe(sha256);
    }
  });

  it('reads no more than a range of rows at a time, each weight once', async () => {
    const checkpoint = await openCheckpoint(await writeCheckpoint());
    const { tensors } = checkpoint;
    let largest = 0;
    let total = 0;
    const watched = {
      shapes: tensors.shapes,
      close: () => tensors.close(),
      async readRows(name: string, start: number, end: number) {
        const weights = await tensors.readRows(name, start, end);
        largest = Math.max(largest, weights.length);
        total += weights.length;
        return weights;
      },
    };
    await convertCheckpoint({ ...checkpoint, tensors: watched }, await options({ weightsPerRead: 200 }));
    await tensors.close();
    expect(largest).toBeLessThanOrEqual(200);
    const all = Object.values(tinyTensors()).reduce((sum, { bytes }) => sum + bytes.byteLength / 4, 0);
    expect(total).toBe(all);
  });

  it('writes the configuration and the tokenizer', async () => {
    const { directory, config } = await convert(await writeCheckpoint(), await options());
    expect(parseModelConfig(JSON.parse(await readFile(join(directory, 'config.json'), 'utf8')))).toEqual(config);
    expect(config).toMatchObject({
      name: 'tiny',
      architecture: 'llama',
      headDim: 16,
      tieWordEmbeddings: true,
      maskTokenId: 3,
      logitShift: false,
      contextAttention: 'block_causal',
      blockLength: 4,
      eosTokenIds: [2],
      startTokenId: 0,
    });
    expect(JSON.parse(await readFile(join(directory, 'tokenizer.json'), 'utf8'))).toEqual(TOKENIZER);
  });

  it('reads a checkpoint in several safetensors files', async () => {
    const source = await writeCheckpoint(CONFIG, {});
    const names = Object.keys(tinyTensors());
    const weight_map = Object.fromEntries(names.map((name, i) => [name, `model-${i % 2}.safetensors`]));
    for (const half of [0, 1]) {
      const part = Object.entries(tinyTensors()).filter((_, i) => i % 2 === half);
      await writeSafetensors(join(source, `model-${half}.safetensors`), Object.fromEntries(part));
    }
    await writeFile(join(source, 'model.safetensors.index.json'), JSON.stringify({ weight_map }));
    const { directory } = await convert(source, await options());
    for (const [name, values] of await readWeights(directory)) expect(values, name).toEqual(sourceValues(name));
  });
});

describe('the LM head', () => {
  const embedding = () => sourceValues('model.embed_tokens.weight');
  const withHead = (values: number[]) => ({
    ...tinyTensors(),
    'lm_head.weight': f32Tensor([40, 64], Float32Array.from(values)),
  });

  it('is tied if the file repeats the embedding', async () => {
    const source = await writeCheckpoint({ ...CONFIG, tie_word_embeddings: false }, withHead(embedding()));
    const { config, directory } = await convert(source, await options({ weightsPerRead: 300 }));
    expect(config.tieWordEmbeddings).toBe(true);
    expect((await readWeights(directory)).has('lm_head.weight')).toBe(false);
  });

  it('is kept, last, if one weight differs, whatever tie_word_embeddings says', async () => {
    const values = embedding();
    values[values.length - 1]! += 0.5;
    const source = await writeCheckpoint({ ...CONFIG, tie_word_embeddings: true }, withHead(values));
    const { config, directory } = await convert(source, await options({ weightsPerRead: 300 }));
    expect(config.tieWordEmbeddings).toBe(false);
    expect([...(await readWeights(directory))].at(-1)).toEqual(['lm_head.weight', [...Float32Array.from(values)]]);
  });
});

describe('a failure', () => {
  async function broken(): Promise<string> {
    const tensors = tinyTensors();
    const norm = new Float32Array(64).fill(1);
    norm[63] = Number.NaN;
    return writeCheckpoint(CONFIG, { ...tensors, 'model.norm.weight': f32Tensor([64], norm) });
  }

  it('names the tensor and leaves nothing', async () => {
    const settings = await options({ shardLimit: 20000 });
    await expect(convert(await broken(), settings)).rejects.toThrow(/model\.norm\.weight has weights that are not/);
    expect(await readdir(settings.out)).toEqual([]);
  });

  it('leaves the model that was there, and a success leaves the model card', async () => {
    const settings = await options({ shardLimit: 20000 });
    const { directory, shards } = await convert(await writeCheckpoint(), settings);
    await writeFile(join(directory, 'README.md'), 'card');
    const before = await readWeights(directory);
    await expect(convert(await broken(), settings)).rejects.toThrow();
    expect(await readWeights(directory)).toEqual(before);

    const again = await convert(await writeCheckpoint(), { ...settings, shardLimit: 1 << 20 });
    expect(again.shards.length).toBeLessThan(shards.length);
    const files = ['README.md', 'config.json', 'manifest.json', 'tokenizer.json', 'weights-000.bin'];
    expect((await readdir(directory)).sort()).toEqual(files);
  });

  it('says that a file is cut off', async () => {
    const source = await writeCheckpoint();
    const file = join(source, 'model.safetensors');
    await writeFile(file, (await readFile(file)).subarray(0, -100));
    await expect(convert(source, await options())).rejects.toThrow(
      /model\.safetensors ends at byte \d+: it is cut off/,
    );
  });

  it.each([
    ['one template', { chat_template: 'T', eos_token: '</s>' }, { template: 'T', bosToken: '', eosToken: '</s>' }],
    [
      'several, and tokens as objects',
      {
        chat_template: [
          { name: 'tool_use', template: 'U' },
          { name: 'default', template: 'T' },
        ],
        bos_token: { content: '<s>' },
      },
      { template: 'T', bosToken: '<s>', eosToken: '' },
    ],
    ['none', { eos_token: '</s>' }, undefined],
  ])('keeps the chat template: %s', async (_name, settings, expected) => {
    const files = { 'tokenizer.json': TOKENIZER, 'tokenizer_config.json': settings };
    const { config } = await convert(await writeCheckpoint(CONFIG, tinyTensors(), files), await options());
    expect(config.chatTemplate).toEqual(expected);
  });

  it('prefers the chat template that has a file of its own', async () => {
    const files = { 'tokenizer.json': TOKENIZER, 'tokenizer_config.json': { chat_template: 'old' } };
    const source = await writeCheckpoint(CONFIG, tinyTensors(), files);
    await writeFile(join(source, 'chat_template.jinja'), 'new');
    const { config } = await convert(source, await options());
    expect(config.chatTemplate?.template).toBe('new');
  });

  it('names a file that is not what it should be', async () => {
    const source = await writeCheckpoint();
    await writeFile(join(source, 'generation_config.json'), '{"eos_token_id": "end"}');
    await expect(convert(source, await options())).rejects.toThrow(/generation_config\.json: .*eos_token_id/s);
    await writeFile(join(source, 'generation_config.json'), '{');
    await expect(convert(source, await options())).rejects.toThrow(/generation_config\.json is not JSON/);
    await expect(convert(source, await options({ name: 'a/b' }))).rejects.toThrow();
    const garbage = await writeCheckpoint();
    await writeFile(join(garbage, 'model.safetensors'), 'version https://git-lfs.github.com/spec/v1');
    await expect(convert(garbage, await options())).rejects.toThrow('model.safetensors is not a safetensors file');
  });

  it('says what a source is not', async () => {
    const settings = await options();
    await expect(convert('/nowhere', settings)).rejects.toThrow('neither a Hugging Face directory nor a .gguf file');
    expect(existsSync(join(settings.out, 'tiny'))).toBe(false);
  });

  it('names a tensor that is missing, misshapen or without a place', async () => {
    const { 'model.norm.weight': norm, ...rest } = tinyTensors();
    const run = async (tensors: ReturnType<typeof tinyTensors>) =>
      convert(await writeCheckpoint(CONFIG, tensors), await options());
    await expect(run(rest)).rejects.toThrow('no tensor model.norm.weight');
    const short = f32Tensor([32], new Float32Array(32));
    await expect(run({ ...rest, 'model.norm.weight': short })).rejects.toThrow(/norm\.weight has shape \[32\].*\[64\]/);
    const bias = { ...rest, 'model.norm.weight': norm!, 'model.layers.0.mlp.up_proj.bias': short };
    await expect(run(bias)).rejects.toThrow('model.layers.0.mlp.up_proj.bias has no place');
    const strange = { ...rest, 'model.norm.weight': { ...norm!, dtype: 'F8_E4M3' } };
    await expect(run(strange)).rejects.toThrow('model.norm.weight is F8_E4M3');
  });
});
