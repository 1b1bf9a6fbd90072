/** What a GGUF says of itself: ends, infill, first token, RoPE. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadTokenizer } from '../../../src/engine/tokenizer/tokenizer.ts';
import type { MetadataValue } from '../support/gguf-file.ts';
import { convertFile, convertGguf, HEAD_DIM, metadata, TOKENS, tensors, writeTinyGguf } from '../support/tiny-gguf.ts';

const ggml = (ids: Record<string, MetadataValue>) =>
  Object.fromEntries(Object.entries(ids).map(([name, value]) => [`tokenizer.ggml.${name}`, value]));

/** Ids 4 and up are no special tokens of the file: only its metadata gives them a meaning. */
describe('ends', () => {
  it.each<[Record<string, number>, number[]]>([
    [{}, [0, 2]],
    [{ eot_token_id: 1 }, [0, 2, 1]],
    [{ eot_token_id: 2 }, [0, 2]],
    [{ eot_token_id: 0, eos_token_id: 0 }, [0]],
    [{ eom_token_id: 1 }, [0, 2, 1]],
    [{ eos_token_id: 5, eot_token_id: 6, eom_token_id: 7 }, [0, 5, 6, 7]],
    [{ eos_token_id: 6, eot_token_id: 5 }, [0, 6, 5]],
  ])('are of a document, a turn and a message: %j', async (ids, ends) => {
    expect((await convertGguf(ggml(ids))).config.eosTokenIds).toEqual(ends);
  });
});

describe('infill', () => {
  const frame = (prefix: number, suffix: number, middle: number, end: number | null = null) => {
    return { prefix, suffix, middle, end, order: 'prefix_first' };
  };
  const spelled = (...texts: string[]) => {
    return { tokens: [...TOKENS.slice(0, 4), ...texts, ...TOKENS.slice(4 + texts.length)] };
  };

  it.each<[string, Record<string, MetadataValue>, object | null]>([
    ['none', {}, null],
    ['ids', { fim_pre_token_id: 4, fim_suf_token_id: 6, fim_mid_token_id: 5 }, frame(4, 6, 5)],
    ['old names', { prefix_token_id: 4, suffix_token_id: 5, middle_token_id: 6 }, frame(4, 5, 6)],
    [
      'new names before old ones',
      {
        fim_pre_token_id: 7,
        fim_suf_token_id: 8,
        fim_mid_token_id: 9,
        prefix_token_id: 4,
        suffix_token_id: 5,
        middle_token_id: 6,
      },
      frame(7, 8, 9),
    ],
    [
      'a separator',
      { fim_pre_token_id: 4, fim_suf_token_id: 6, fim_mid_token_id: 5, fim_sep_token_id: 7 },
      { ...frame(4, 6, 5), fileSeparator: 7 },
    ],
    [
      'spelled, with a separator',
      {
        ...spelled('<fim_prefix>', '<fim_middle>', '<fim_suffix>', '<file_sep>'),
        token_type: [3, 3, 3, 3, 3, 3, 3, 3, ...Array(7).fill(1), 5],
      },
      { ...frame(4, 6, 5, 7), fileSeparator: 7 },
    ],
    [
      'spelled as Codestral has them, with ids',
      {
        ...spelled('[PREFIX]', '[MIDDLE]', '[SUFFIX]', '<x>'),
        token_type: [3, 3, 3, 3, 3, 3, 3, 3, ...Array(7).fill(1), 5],
        fim_pre_token_id: 4,
        fim_suf_token_id: 6,
      },
      { ...frame(4, 6, 5), middle: null, order: 'suffix_first' },
    ],
    ['two of three', { fim_pre_token_id: 4, fim_suf_token_id: 6 }, null],
    [
      'spelled, with an end',
      {
        ...spelled('<|fim_prefix|>', '<|fim_middle|>', '<|fim_suffix|>', '<|fim_end|>'),
        token_type: [3, 3, 3, 3, 3, 3, 3, 3, ...Array(7).fill(1), 5],
      },
      frame(4, 6, 5, 7),
    ],
    [
      'ids of spelled ones',
      {
        ...spelled('<|fim_prefix|>', '<|fim_middle|>', '<|fim_suffix|>', '<|fim_end|>'),
        token_type: [3, 3, 3, 3, 3, 3, 3, 3, ...Array(7).fill(1), 5],
        fim_pre_token_id: 4,
        fim_suf_token_id: 6,
        fim_mid_token_id: 5,
      },
      frame(4, 6, 5, 7),
    ],
  ])('is what the file names, else what it spells: %s', async (what, ids, infill) => {
    const merges = what.includes('spelled') ? { merges: [] as string[] } : {};
    expect((await convertGguf(ggml({ ...ids, ...merges }))).config.infill).toEqual(infill);
  });

  it('refuses an id outside the vocabulary', async () => {
    const ids = ggml({ fim_pre_token_id: 4, fim_suf_token_id: 6, fim_mid_token_id: 99 });
    await expect(convertGguf(ids)).rejects.toThrow('infill 99 is outside the vocabulary');
  });
});

describe('the first token', () => {
  it.each<[Record<string, MetadataValue>, number[]]>([
    [{}, [8]],
    [{ add_bos_token: true }, [1, 8]],
    [{ add_bos_token: false }, [8]],
    [{ add_bos_token: true, bos_token_id: 0 }, [0, 8]],
    [{ pre: 'llama-bpe' }, [1, 8]],
    [{ pre: 'llama-bpe', add_bos_token: false }, [8]],
    [{ pre: 'qwen2' }, [8]],
    [{ pre: 'qwen2', add_bos_token: true }, [1, 8]],
  ])('of a prompt is the BOS where llama.cpp puts one: %j', async (settings, ids) => {
    const { directory, config } = await convertGguf(ggml(settings));
    const json: unknown = JSON.parse(await readFile(join(directory, 'tokenizer.json'), 'utf8'));
    const tokenizer = loadTokenizer(json, config.maskTokenId);
    expect([...tokenizer.encode('1', 'prompt')]).toEqual(ids);
    expect([...tokenizer.encode('1', 'frame')]).toEqual([8]);
  });
});

describe('RoPE', () => {
  const factors = (...values: number[]) => {
    const bytes = new Uint8Array(Float32Array.from(values).buffer);
    return { ...tensors(), 'rope_freqs.weight': { type: 0, dimensions: [values.length], bytes } };
  };

  const norm = { type: 0, dimensions: [HEAD_DIM], bytes: new Uint8Array(4 * HEAD_DIM) };
  const norms = { 'blk.0.attn_q_norm.weight': norm, 'blk.0.attn_k_norm.weight': norm };

  it.each([
    ['llama', tensors()],
    ['qwen2', tensors(true)],
    ['qwen3', { ...tensors(), ...norms }],
  ])('has the base 10000 where the file does not say: %s', async (architecture, stored) => {
    const { [`${architecture}.rope.freq_base`]: _left, ...others } = metadata(architecture);
    const { config } = await convertFile(await writeTinyGguf(others, stored));
    expect(config.ropeTheta).toBe(10000);
  });

  it.each([[[1, 1, 1, 1]], [[1]], [[1, 1, 1, 1, 1, 1, 1, 1]]])(
    'takes factors that change nothing: %j',
    async (values) => {
      const { config, directory } = await convertGguf({}, factors(...values));
      expect(config.ropeTheta).toBe(100000);
      expect(await readFile(join(directory, 'manifest.json'), 'utf8')).not.toContain('rope_freqs');
    },
  );

  it.each([[[1, 1, 1, 8]], [[1, 1, 1.5, 1]], [[0.5, 1, 1, 1]], [[1, 2, 4, 8]]])(
    'takes factors as they are: %j',
    async (values) => {
      const { config, directory } = await convertGguf({}, factors(...values));
      expect(config.ropeScaling).toEqual({ type: 'factors', factors: values });
      expect(await readFile(join(directory, 'manifest.json'), 'utf8')).not.toContain('rope_freqs');
    },
  );

  it.each([[[0, 0, 0, 0]], [[Number.NaN, 1, 1, 1]], [[-1, 1, 1, 1]], [[32]], [[1, 1, 8]], [[1, 1, 1, 1, 1, 1, 1, 8]]])(
    'refuses others: %j',
    async (values) => {
      await expect(convertGguf({}, factors(...values))).rejects.toThrow(
        'rope_freqs.weight is neither 1 everywhere nor',
      );
    },
  );

  const yarn = {
    type: 'yarn',
    factor: 4,
    originalContext: 16,
    betaFast: 32,
    betaSlow: 1,
    truncate: true,
    attentionFactor: 0.1 * Math.log(4) + 1,
  };

  it.each<[Record<string, string | number>, object | null]>([
    [{ type: 'none' }, null],
    [{ type: 'none', factor: 4 }, null],
    [
      { type: 'linear', factor: 4 },
      { type: 'linear', factor: 4 },
    ],
    [{ factor: 2.5 }, { type: 'linear', factor: 2.5 }],
    [{ type: 'linear', factor: 1 }, null],
    [{ type: 'linear' }, null],
    [{ type: 'yarn', factor: 4, original_context_length: 16 }, yarn],
    [
      { type: 'yarn', factor: 4 },
      { ...yarn, originalContext: 64 },
    ],
    [
      { type: 'yarn', factor: 4, original_context_length: 16, yarn_beta_fast: 16, yarn_beta_slow: 2 },
      { ...yarn, betaFast: 16, betaSlow: 2 },
    ],
    [{ type: 'yarn', factor: 4, original_context_length: 16, attn_factor: 1, yarn_ext_factor: 1 }, yarn],
  ])('scales as the metadata say: %j', async (changes, scaling) => {
    const keys = Object.entries(changes).map(([key, value]) => [`llama.rope.scaling.${key}`, value]);
    const { config } = await convertGguf(Object.fromEntries(keys));
    expect(config.ropeScaling).toEqual(scaling);
  });

  it('scales by the key of the first versions', async () => {
    const { config } = await convertGguf({ 'llama.rope.scale_linear': 4 });
    expect(config.ropeScaling).toEqual({ type: 'linear', factor: 4 });
  });

  it.each([
    ['type', 'longrope'],
    ['type', 'dynamic'],
    ['attn_factor', 0.8],
    ['yarn_attn_factor', 2],
    ['yarn_log_multiplier', 0.1],
    ['yarn_ext_factor', 0.5],
  ])('refuses rope.scaling.%s %j by name', async (key, value) => {
    const changes = { 'llama.rope.scaling.type': 'yarn', 'llama.rope.scaling.factor': 4 };
    await expect(convertGguf({ ...changes, [`llama.rope.scaling.${key}`]: value })).rejects.toThrow(
      `llama.rope.scaling.${key} is ${value}, not supported`,
    );
  });

  it('refuses factors beside a scaling', async () => {
    await expect(convertGguf({ 'llama.rope.scaling.factor': 4 }, factors(1, 1, 1, 8))).rejects.toThrow(
      'only one can be followed',
    );
  });
});
