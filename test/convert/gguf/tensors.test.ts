import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { describe, expect, it } from 'vitest';
import { huggingFaceName, interleavedRow } from '../../../src/convert/gguf/names.ts';
import { readWeights } from '../support/read-model.ts';
import { HEAD_DIM, convertGguf as run, TOKENS, tensors } from '../support/tiny-gguf.ts';

/** Undoes llama.cpp's permutation as its own converter writes it: reshape [heads, headDim/2, 2, K], swap the middle. */
function halves(values: Float32Array, heads: number, columns: number): number[] {
  const result = new Array<number>(values.length);
  for (let head = 0; head < heads; head++) {
    for (let pair = 0; pair < HEAD_DIM / 2; pair++) {
      for (let side = 0; side < 2; side++) {
        for (let k = 0; k < columns; k++) {
          const from = (head * HEAD_DIM + pair * 2 + side) * columns + k;
          result[(head * HEAD_DIM + side * (HEAD_DIM / 2) + pair) * columns + k] = values[from]!;
        }
      }
    }
  }
  return result;
}

describe('a GGUF', () => {
  it('gives the configuration of its metadata', async () => {
    const { config } = await run();
    expect(config).toMatchObject({
      name: 'tiny',
      architecture: 'llama',
      hiddenSize: 32,
      intermediateSize: 32,
      numLayers: 1,
      numHeads: 4,
      numKvHeads: 2,
      headDim: HEAD_DIM,
      vocabSize: TOKENS.length,
      contextLength: 64,
      rmsNormEps: 1e-5,
      ropeTheta: 100000,
      tieWordEmbeddings: true,
      qkvBias: false,
      qkNorm: false,
      maskTokenId: 3,
      logitShift: true,
      contextAttention: 'causal',
      blockLength: 8,
      eosTokenIds: [0, 2],
      startTokenId: 0,
      infill: null,
    });
  });

  it('keeps the chat template of its metadata, with the texts of its tokens', async () => {
    const { config } = await run({ 'tokenizer.chat_template': '{{ messages }}' });
    expect(config.chatTemplate).toEqual({ template: '{{ messages }}', bosToken: TOKENS[1], eosToken: TOKENS[2] });
  });

  it('puts the rows of a Llama q and k back in halves, and only those', async () => {
    const weights = await readWeights((await run()).directory);
    const source = tensors();
    const layer = 'model.layers.0.';
    expect(weights.get(`${layer}self_attn.q_proj.weight`)).toEqual(
      halves(source['blk.0.attn_q.weight']!.values, 4, 32),
    );
    expect(weights.get(`${layer}self_attn.k_proj.weight`)).toEqual(
      halves(source['blk.0.attn_k.weight']!.values, 2, 32),
    );
    for (const [name, { values }] of Object.entries(source)) {
      if (!/attn_[qk]\./.test(name)) expect(weights.get(huggingFaceName(name)), name).toEqual([...values]);
    }
  });

  it('leaves the rows of a Qwen2 as they are, and reads its biases', async () => {
    const { config, directory } = await run({ 'general.architecture': 'qwen2' }, tensors(true));
    expect(config.qkvBias).toBe(true);
    const weights = await readWeights(directory);
    for (const [name, { values }] of Object.entries(tensors(true))) {
      expect(weights.get(huggingFaceName(name)), name).toEqual([...values]);
    }
  });

  it('gives a tokenizer that splits digits and keeps special tokens whole', async () => {
    const { directory } = await run();
    const json = JSON.parse(await readFile(join(directory, 'tokenizer.json'), 'utf8'));
    const tokenizer = new Tokenizer(json, {});
    const { tokens } = tokenizer.encode('abc ab12\n<|im_end|> ac', { add_special_tokens: false });
    expect(tokens).toEqual(['abc', 'Ġ', 'ab', '1', '2', 'Ċ', '<|im_end|>', 'Ġa', 'c']);
    expect(json.model.vocab).not.toHaveProperty('[PAD15]');
    expect(json.added_tokens.map(({ id }: { id: number }) => id)).toEqual([0, 1, 2, 3]);
  });

  it('asks for a mask token', async () => {
    await expect(run({}, tensors(), {})).rejects.toThrow('--mask-token-id');
  });

  it.each([
    ['general.architecture', 'gemma'],
    ['llama.rope.scaling.type', 'longrope'],
    ['llama.attention.sliding_window', 32],
    ['llama.expert_count', 4],
    ['llama.rope.dimension_count', 4],
    ['tokenizer.ggml.pre', 'tekken'],
    ['tokenizer.ggml.pre', 'deepseek-llm'],
    ['tokenizer.ggml.pre', 'SMOLLM'],
    ['tokenizer.ggml.model', 'llama'],
  ])('refuses %s %j', async (key, value) => {
    await expect(run({ [key]: value })).rejects.toThrow(key === 'general.architecture' ? 'gemma' : key);
  });

  it('names a tensor whose type it cannot read', async () => {
    const stored = {
      ...tensors(),
      'blk.0.attn_v.weight': { type: 10, dimensions: [32, 16], bytes: new Uint8Array(168) },
    };
    await expect(run({}, stored)).rejects.toThrow(/v_proj\.weight has GGML type 10; only F32/);
  });
});

describe('names', () => {
  it('are Hugging Face names, or themselves', () => {
    expect(huggingFaceName('blk.12.attn_q_norm.weight')).toBe('model.layers.12.self_attn.q_norm.weight');
    expect(huggingFaceName('output.weight')).toBe('lm_head.weight');
    expect(huggingFaceName('rope_freqs.weight')).toBe('rope_freqs.weight');
  });

  it('interleavedRow is a permutation within each head', () => {
    const rows = Array.from({ length: 16 }, (_, row) => interleavedRow(row, 8));
    expect(rows).toEqual([0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15]);
  });
});
