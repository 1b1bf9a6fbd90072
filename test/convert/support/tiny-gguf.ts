/** A tiny random Llama or Qwen as a GGUF file. */
import { join } from 'node:path';
import { type Conversion, type ConvertOptions, convert } from '../../../src/convert/convert.ts';
import { type MetadataValue, type StoredTensor, writeGguf } from './gguf-file.ts';
import { randomWeights, temporaryDirectory } from './tiny-checkpoint.ts';

export const HEAD_DIM = 8;
const NORMAL = ['a', 'b', 'c', 'd', '1', '2', 'Ġ', 'Ċ', 'ab', 'abc', 'Ġa'];
export const TOKENS = ['<|endoftext|>', '<|im_start|>', '<|im_end|>', '<free>', ...NORMAL, '[PAD15]'];

export function metadata(architecture: string): Record<string, MetadataValue> {
  return {
    'general.architecture': architecture,
    [`${architecture}.block_count`]: 1,
    [`${architecture}.context_length`]: 64,
    [`${architecture}.embedding_length`]: 32,
    [`${architecture}.feed_forward_length`]: 32,
    [`${architecture}.attention.head_count`]: 4,
    [`${architecture}.attention.head_count_kv`]: 2,
    [`${architecture}.attention.layer_norm_rms_epsilon`]: 1e-5,
    [`${architecture}.rope.freq_base`]: 100000,
    [`${architecture}.rope.dimension_count`]: HEAD_DIM,
    'tokenizer.ggml.model': 'gpt2',
    'tokenizer.ggml.pre': 'smollm',
    'tokenizer.ggml.tokens': TOKENS,
    'tokenizer.ggml.token_type': [3, 3, 3, 3, ...NORMAL.map(() => 1), 5],
    'tokenizer.ggml.merges': ['a b', 'ab c', 'Ġ a'],
    'tokenizer.ggml.bos_token_id': 1,
    'tokenizer.ggml.eos_token_id': 2,
  };
}

export function tensors(biases = false): Record<string, StoredTensor & { values: Float32Array }> {
  const all: Record<string, StoredTensor & { values: Float32Array }> = {};
  const add = (name: string, ...dimensions: number[]) => {
    const values = randomWeights(
      dimensions.reduce((product, n) => product * n, 1),
      Object.keys(all).length + 1,
    );
    all[name] = { type: 0, dimensions, bytes: new Uint8Array(values.buffer), values };
  };
  add('token_embd.weight', 32, TOKENS.length);
  add('output_norm.weight', 32);
  add('blk.0.attn_norm.weight', 32);
  add('blk.0.ffn_norm.weight', 32);
  add('blk.0.attn_q.weight', 32, 32);
  add('blk.0.attn_k.weight', 32, 16);
  add('blk.0.attn_v.weight', 32, 16);
  add('blk.0.attn_output.weight', 32, 32);
  for (const name of ['gate', 'up', 'down']) add(`blk.0.ffn_${name}.weight`, 32, 32);
  if (biases)
    for (const [name, rows] of [
      ['q', 32],
      ['k', 16],
      ['v', 16],
    ] as const)
      add(`blk.0.attn_${name}.bias`, rows);
  return all;
}

export async function convertGguf(
  changes: Record<string, MetadataValue> = {},
  stored: Record<string, StoredTensor> = tensors(),
  semantics: ConvertOptions['semantics'] = { maskTokenId: 3 },
): Promise<Conversion> {
  const architecture = String(changes['general.architecture'] ?? 'llama');
  return convertFile(await writeTinyGguf({ ...metadata(architecture), ...changes }, stored), semantics);
}

/** @returns its path */
export async function writeTinyGguf(
  values: Readonly<Record<string, MetadataValue>>,
  stored: Readonly<Record<string, StoredTensor>>,
): Promise<string> {
  const source = join(await temporaryDirectory(), 'tiny.gguf');
  await writeGguf(source, values, stored);
  return source;
}

export async function convertFile(
  source: string,
  semantics: ConvertOptions['semantics'] = { maskTokenId: 3 },
): Promise<Conversion> {
  // Reads of 5 rows begin and end inside a head.
  return convert(source, {
    name: 'tiny',
    out: await temporaryDirectory(),
    dtype: 'f32',
    embedding: 'f32',
    semantics,
    weightsPerRead: 160,
  });
}
