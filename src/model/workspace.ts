/** Sizes of KV pages, and addresses of a forward pass's buffers. They are planned once, and a forward allocates nothing. */
import { type Arena, align } from '../kernels/arena.ts';
import type { ModelConfig } from './config.ts';
import { draftWidth, GROUP } from './manifest.ts';
import { ropeFrequencies, ropeMagnitude } from './rope.ts';

/** Positions in one pass over the weights: the widest block, and the tile of the prefill. */
export const MAX_ROWS = 64;
/** int8 rows that one row of activations may become. */
const MAX_LIMBS = 2;
/** The larger of the two encodings of 32 activations (`wasm/activations.ts`). */
const RECORD_BYTES = 72;
/** Rows whose logits exist at a time: B x V floats are the largest buffer there is. */
export const HEAD_ROWS = 8;

export interface Workspace {
  readonly x: number; // (most rows, hidden) the residual stream
  readonly normed: number; // (MAX_ROWS, max(hidden, heads*d)) also the attention's output
  readonly q8: number; // (MAX_ROWS * MAX_LIMBS, widest K / 32) records of `quantize`
  readonly scratch: number; // of one kernel at a time of this thread: see `scratchBytes`
  readonly qkv: number; // (most rows, (heads + 2 kvHeads) * d)
  readonly gateUp: number; // (MAX_ROWS, 2 intermediate)
  readonly act: number; // (MAX_ROWS, intermediate)
  readonly logits: number; // (HEAD_ROWS, V + 3): shares the bytes of gateUp, act and pages, never live together
  readonly visible: number; // (most rows) i32
  readonly pages: number; // (MAX_ROWS sequences, pages of the largest cache) u32, after act: written anew for each forward
  readonly rope: number; // (maxTokens, d)
  readonly drafts: number; // (3 matrices, MAX_ROWS, draftWidth) f32: A x of mask rows, zeros after the rank
  readonly draftRecords: number; // records of `drafts`, the limbs of a row together
  readonly result: number; // (HEAD_ROWS, 4): id i32, prob f32, entropy f32, targetProb f32
}

/** Groups of the longest row of weights. */
function widestGroups({ hiddenSize, intermediateSize, numHeads, headDim }: ModelConfig): number {
  return Math.ceil(Math.max(hiddenSize, intermediateSize, numHeads * headDim) / GROUP);
}

/** Numbers of K and V. They follow `Activations`: int8, or int16 with twice the bytes. */
export type KvNumbers = 'int8' | 'int16';

/** Places for tokens in a page of int8: the kernels read four at a time. */
export function pageSlots(pageTokens: number): number {
  return Math.ceil(pageTokens / 4) * 4;
}

/**
 * Bytes of a page of `pageTokens` tokens, all layers: K and V in int8 with two scales and a correction (wasm/kv.ts), or in int16
 * with two scales (wasm/kv-words.ts).
 */
export function pageBytes(
  shape: { readonly numLayers: number; readonly numKvHeads: number; readonly headDim: number },
  pageTokens: number,
  numbers: KvNumbers,
): number {
  const { numLayers, numKvHeads, headDim } = shape;
  const head = numbers === 'int8' ? pageSlots(pageTokens) * (2 * headDim + 12) : pageTokens * (4 * headDim + 8);
  return numLayers * numKvHeads * head;
}

/**
 * Bytes of `scratch`: every thread needs one. A product wants 13 x widest K bytes, for one panel of weights, unpacked, and its
 * integer sums. Attention wants scores and weights of all tokens.
 */
export function scratchBytes(config: ModelConfig, maxTokens: number, pageTokens: number): number {
  const { numHeads, numKvHeads, headDim } = config;
  return Math.max(
    13 * widestGroups(config) * GROUP,
    attentionScratchBytes(numHeads / numKvHeads, headDim, maxTokens, pageTokens),
  );
}

/** Positions of a forward at most. Under full context a canvas cannot be run in parts. */
export function mostRows({ contextAttention }: Pick<ModelConfig, 'contextAttention'>, maxTokens: number): number {
  return contextAttention === 'full' ? Math.max(MAX_ROWS, maxTokens) : MAX_ROWS;
}

/** Byte size of each buffer. @param maxTokens longest sequence, a multiple of `pageTokens` */
function sizes(config: ModelConfig, maxTokens: number, pageTokens: number) {
  const { hiddenSize, intermediateSize, numHeads, numKvHeads, headDim, vocabSize } = config;
  const attentionWidth = numHeads * headDim;
  const rows = mostRows(config, maxTokens);
  const groups = widestGroups(config);
  const gateUp = align(MAX_ROWS * 2 * intermediateSize * 4);
  const act = align(MAX_ROWS * intermediateSize * 4);
  const pages = align(MAX_ROWS * (maxTokens / pageTokens) * 4);
  const logits = HEAD_ROWS * logitStride(vocabSize) * 4;
  const drafts = config.drafts === null ? 0 : draftWidth(config.drafts.rank);
  return {
    x: rows * hiddenSize * 4,
    normed: MAX_ROWS * Math.max(hiddenSize, attentionWidth) * 4,
    q8: MAX_ROWS * MAX_LIMBS * groups * RECORD_BYTES,
    scratch: scratchBytes(config, maxTokens, pageTokens),
    qkv: rows * (numHeads + 2 * numKvHeads) * headDim * 4,
    feedForward: Math.max(gateUp + act + pages, logits),
    visible: rows * 4,
    rope: maxTokens * headDim * 4,
    drafts: 3 * MAX_ROWS * drafts * 4,
    draftRecords: 3 * draftRecordBytes(drafts) * MAX_ROWS,
    result: HEAD_ROWS * 16,
  };
}

/** Bytes of the records of one row of an adapter's B. @param width its inputs */
export function draftRecordBytes(width: number): number {
  return (MAX_LIMBS * RECORD_BYTES * width) / GROUP;
}

/** Bytes that either attention kernel needs for `tokens` tokens, a multiple of `pageTokens`. @param group heads that share a K and V head */
export function attentionScratchBytes(group: number, headDim: number, tokens: number, pageTokens: number): number {
  const slots = (tokens / pageTokens) * pageSlots(pageTokens);
  return Math.max(1536 + 30 * (slots + 19), headDim * 4 + group * (tokens + 8) * 4);
}

/** Floats from one row of logits to the next: the head pads a row to whole vectors. */
export function logitStride(vocabSize: number): number {
  return Math.ceil(vocabSize / 4) * 4;
}

export function workspaceBytes(config: ModelConfig, maxTokens: number, pageTokens: number): number {
  return Object.values(sizes(config, maxTokens, pageTokens)).reduce((sum, bytes) => sum + align(bytes), 0);
}

export function createWorkspace(arena: Arena, config: ModelConfig, maxTokens: number, pageTokens: number): Workspace {
  const { feedForward, ...rest } = sizes(config, maxTokens, pageTokens);
  const at = Object.fromEntries(Object.entries(rest).map(([name, bytes]) => [name, arena.take(bytes)]));
  const gateUp = arena.take(feedForward);
  const act = gateUp + align(MAX_ROWS * 2 * config.intermediateSize * 4);
  const workspace = {
    ...(at as unknown as Omit<Workspace, 'gateUp' | 'act' | 'pages' | 'logits'>),
    gateUp,
    act,
    pages: act + align(MAX_ROWS * config.intermediateSize * 4),
    logits: gateUp,
  };
  fillRopeTable(arena.f32(workspace.rope, maxTokens * config.headDim), config);
  return workspace;
}

/** table (positions, d): cosines then sines of position * frequency. */
function fillRopeTable(table: Float32Array, config: ModelConfig): void {
  const { headDim } = config;
  const half = headDim / 2;
  const frequencies = ropeFrequencies(config); // (d/2)
  const magnitude = ropeMagnitude(config);
  for (let at = 0; at < table.length; at += headDim) {
    for (let i = 0; i < half; i++) {
      const angle = (at / headDim) * frequencies[i]!;
      table[at + i] = magnitude * Math.cos(angle);
      table[at + half + i] = magnitude * Math.sin(angle);
    }
  }
}
