/**
 * A Hugging Face directory of random weights in bfloat16, in shards. It stands in for a checkpoint of that shape where only
 * the cost matters. Memory: one block of noise for any size.
 */
import { type FileHandle, mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DecoderConfig, Shape } from '../../src/convert/checkpoint.ts';
import { forwardOrder } from '../../src/convert/write/tensor-order.ts';
import { byteOfChar } from '../../src/engine/tokenizer/byte-alphabet.ts';
import { randomFloats } from '../../test/support/engines/kernels.ts';

/** Fast-dLLM v2 1.5B: the decoder of Qwen2.5 1.5B, LM head tied. */
export const FAST_DLLM_V2_1_5B: DecoderConfig = {
  architecture: 'qwen2',
  hiddenSize: 1536,
  intermediateSize: 8960,
  numLayers: 28,
  numHeads: 12,
  numKvHeads: 2,
  headDim: 128,
  vocabSize: 151936,
  contextLength: 32768,
  rmsNormEps: 1e-6,
  ropeTheta: 1e6,
  ropeScaling: null,
  qkvBias: true,
  qkNorm: false,
};

/** Ids after the byte-pair tokens, as in Qwen's tokenizers. */
const END_OF_TEXT = 151643;
const MASK = 151665;

/** Bytes of one file at most. */
const FILE_LIMIT = 1 << 30;
/** Odd, so that rows of a matrix do not repeat. */
const NOISE_LENGTH = (1 << 22) + 1;

/** Writes config.json, tokenizer.json and the safetensors; returns the bytes of the weights. */
export async function writeRandomCheckpoint(directory: string, shape: DecoderConfig): Promise<number> {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'config.json'), JSON.stringify(hfConfig(shape)));
  await writeFile(join(directory, 'tokenizer.json'), JSON.stringify(syntheticTokenizer()));
  const files = filesOf(forwardOrder(shape, false));
  const names = files.map((_, i) => `model-${i + 1}-of-${files.length}.safetensors`);
  const map = Object.fromEntries(files.flatMap((tensors, i) => tensors.map(({ name }) => [name, names[i]])));
  await writeFile(join(directory, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }));
  const noise = bfloat16Noise();
  let bytes = 0;
  for (const [i, tensors] of files.entries()) {
    const handle = await open(join(directory, names[i] as string), 'w');
    try {
      bytes += await writeFileOf(handle, tensors, noise);
    } finally {
      await handle.close();
    }
  }
  return bytes;
}

interface Named {
  readonly name: string;
  readonly shape: Shape;
}

function bytesOf({ shape }: Named): number {
  return shape.reduce((product, size) => product * size, 2);
}

function filesOf(tensors: readonly Named[]): Named[][] {
  const files: Named[][] = [[]];
  let room = FILE_LIMIT;
  for (const tensor of tensors) {
    if (bytesOf(tensor) > room && files.at(-1)?.length) {
      files.push([]);
      room = FILE_LIMIT;
    }
    files.at(-1)?.push(tensor);
    room -= bytesOf(tensor);
  }
  return files;
}

async function writeFileOf(handle: FileHandle, tensors: readonly Named[], noise: Uint8Array): Promise<number> {
  const header: Record<string, object> = {};
  let end = 0;
  for (const tensor of tensors) {
    const from = end;
    end += bytesOf(tensor);
    header[tensor.name] = { dtype: 'BF16', shape: tensor.shape, data_offsets: [from, end] };
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  await handle.write(Buffer.concat([length, text]));
  for (let at = 0; at < end; ) {
    const piece = noise.subarray(0, Math.min(noise.length, end - at));
    await handle.write(piece);
    at += piece.length;
  }
  return end;
}

/** Values in (-0.03, 0.03): sums of a forward stay finite. */
function bfloat16Noise(): Uint8Array {
  const words = new Uint32Array(randomFloats(NOISE_LENGTH, 1, 0.03).buffer);
  const halves = Uint16Array.from(words, (word) => word >>> 16);
  return new Uint8Array(halves.buffer);
}

function hfConfig(shape: DecoderConfig): object {
  return {
    architectures: ['Qwen2ForCausalLM'],
    hidden_size: shape.hiddenSize,
    intermediate_size: shape.intermediateSize,
    num_hidden_layers: shape.numLayers,
    num_attention_heads: shape.numHeads,
    num_key_value_heads: shape.numKvHeads,
    vocab_size: shape.vocabSize,
    max_position_embeddings: shape.contextLength,
    rms_norm_eps: shape.rmsNormEps,
    rope_theta: shape.ropeTheta,
    tie_word_embeddings: true,
    mask_token_id: MASK,
    eos_token_id: END_OF_TEXT,
  };
}

/** Byte-level BPE with as many tokens as Qwen's: all pairs of bytes, then pairs with a third byte. */
function syntheticTokenizer(): object {
  const characters = Array.from(byteOfChar, (byte, char) => (byte < 0 ? '' : String.fromCharCode(char))).filter(
    Boolean,
  );
  const tokens = [...characters];
  const merges: [string, string][] = [];
  for (let left = 0; tokens.length < END_OF_TEXT; left++) {
    for (const character of characters) {
      if (tokens.length === END_OF_TEXT) break;
      merges.push([tokens[left] as string, character]);
      tokens.push((tokens[left] as string) + character);
    }
  }
  const special = (id: number, content: string) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  });
  return {
    version: '1.0',
    added_tokens: [special(END_OF_TEXT, '<|endoftext|>'), special(MASK, '|<MASK>|')],
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: { type: 'BPE', vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges },
  };
}
