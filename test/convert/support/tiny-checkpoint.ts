/** A tiny random Llama as a Hugging Face directory. */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { f32Tensor, type StoredTensor, writeSafetensors } from './safetensors-file.ts';

export const CONFIG = {
  architectures: ['LlamaForCausalLM'],
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 40,
  max_position_embeddings: 128,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  mask_token_id: 3,
  eos_token_id: 2,
  seedling: { logit_shift: false, context_attention: 'block_causal', block_length: 4 },
};

const special = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };

export const TOKENIZER = {
  added_tokens: [
    { id: 0, content: '<|endoftext|>', ...special },
    { id: 3, content: '<|mask|>', ...special },
  ],
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  model: { type: 'BPE', vocab: { '<|endoftext|>': 0, a: 1, b: 2, '<|mask|>': 3 }, merges: [] },
};

/** Roughly normal, the same for the same seed. */
export function randomWeights(length: number, seed: number): Float32Array {
  let state = seed * 2654435761 + 1;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return Float32Array.from({ length }, () => (uniform() + uniform() + uniform() + uniform() - 2) * 0.1);
}

export function tinyTensors(): Record<string, StoredTensor> {
  const tensors: Record<string, StoredTensor> = {};
  const add = (name: string, ...shape: number[]) => {
    const length = shape.reduce((product, n) => product * n, 1);
    tensors[name] = f32Tensor(shape, randomWeights(length, Object.keys(tensors).length + 1));
  };
  // Not in the order of a forward pass, as files are.
  add('model.norm.weight', 64);
  for (const layer of [1, 0]) {
    for (const [name, ...shape] of [
      ['mlp.down_proj', 64, 96],
      ['mlp.gate_proj', 96, 64],
      ['mlp.up_proj', 96, 64],
      ['self_attn.q_proj', 64, 64],
      ['self_attn.k_proj', 32, 64],
      ['self_attn.v_proj', 32, 64],
      ['self_attn.o_proj', 64, 64],
      ['input_layernorm', 64],
      ['post_attention_layernorm', 64],
    ] as const) {
      add(`model.layers.${layer}.${name}.weight`, ...shape);
    }
  }
  add('model.embed_tokens.weight', 40, 64);
  return tensors;
}

export async function temporaryDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'seedling-convert-'));
}

export async function writeCheckpoint(
  config: object = CONFIG,
  tensors: Readonly<Record<string, StoredTensor>> = tinyTensors(),
  files: Readonly<Record<string, object>> = { 'tokenizer.json': TOKENIZER },
): Promise<string> {
  const directory = await temporaryDirectory();
  await writeFile(join(directory, 'config.json'), JSON.stringify(config));
  for (const [file, json] of Object.entries(files)) await writeFile(join(directory, file), JSON.stringify(json));
  await writeSafetensors(join(directory, 'model.safetensors'), tensors);
  return directory;
}
