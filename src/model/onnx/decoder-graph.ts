/**
 * Builds the decoder of a `ModelConfig` as an ONNX graph over the weight shards, which MatMulNBits reads byte for
 * byte. The graph is a pure function of the configuration and the manifest. So it is built at load and not stored
 * beside them.
 *
 * Who attends to whom is an input: attention is MatMul and Softmax with a bias, one graph for every mask. The fused
 * attention operators are causal only, or wrong on adapters with small subgroups.
 */
import type { ModelConfig } from '../config.ts';
import { draftNames, draftWidth, GROUP, rowsAndLength } from '../manifest.ts';
import type { StoredTensor, Tables } from './external-data.ts';
import { FLOAT, FLOAT16, GraphBuilder, INT64, MICROSOFT } from './graph-builder.ts';
import { GraphWeights } from './graph-weights.ts';

export type Precision = 'fp32' | 'fp16';

/** Name of the input that marks mask rows. */
export const MASKS = 'masks';

/** Names of layer l's K outputs and inputs, and of its V. */
export const keyNames = (l: number) => ({ past: `past_key_${l}`, present: `new_key_${l}` });
export const valueNames = (l: number) => ({ past: `past_value_${l}`, present: `new_value_${l}` });

/**
 * Inputs, with P committed tokens, T in the forward, R rows asked for:
 * - ids, positions (1, T) int64
 * - rows (R) int64: which of the T
 * - targets (1, R, 1) int64
 * - masks (1, T, 1): 1 on rows of the mask token, else 0; only where the model has adapters for them
 * - bias, added to the attention's scores: broadcasts to (1, kvHeads, heads / kvHeads, T, P + T), of rank 4
 * - past_key_l, past_value_l (1, P, kvHeads, d)
 *
 * Outputs:
 * - best (1, R, 4) float: id, probability, entropy, probability of the target
 * - logits (1, R, V) float, that of the mask token hidden
 * - new_key_l, new_value_l (1, T, kvHeads, d)
 */
export function buildDecoderGraph(
  config: ModelConfig,
  tensors: ReadonlyMap<string, StoredTensor>,
  tables: Tables,
  maxTokens: number,
  precision: Precision,
): Uint8Array {
  return new DecoderGraph(config, tensors, tables, maxTokens, precision).build();
}

class DecoderGraph {
  readonly #graph = new GraphBuilder();
  readonly #config: ModelConfig;
  readonly #weights: GraphWeights;
  readonly #tables: Tables;
  readonly #maxTokens: number;
  /** Element type of activations and KV. */
  readonly #type: typeof FLOAT | typeof FLOAT16;

  constructor(
    config: ModelConfig,
    tensors: ReadonlyMap<string, StoredTensor>,
    tables: Tables,
    maxTokens: number,
    precision: Precision,
  ) {
    this.#config = config;
    this.#tables = tables;
    this.#maxTokens = maxTokens;
    this.#type = precision === 'fp16' ? FLOAT16 : FLOAT;
    this.#weights = new GraphWeights(this.#graph, tensors, this.#type);
  }

  build(): Uint8Array {
    const graph = this.#graph;
    const { numLayers, numKvHeads, headDim } = this.#config;
    graph.input('ids', INT64, [1, 'T']);
    graph.input('positions', INT64, [1, 'T']);
    graph.input('rows', INT64, ['R']);
    graph.input('targets', INT64, [1, 'R', 1]);
    if (this.#config.drafts) graph.input(MASKS, this.#type, [1, 'T', 1]);
    graph.input('bias', this.#type, ['b0', 'b1', 'b2', 'b3']);
    for (let l = 0; l < numLayers; l++) {
      for (const { past, present } of [keyNames(l), valueNames(l)]) {
        graph.input(past, this.#type, [1, 'P', numKvHeads, headDim]);
        graph.output(present, this.#type, [1, 'T', numKvHeads, headDim]);
      }
    }

    // The residual stream is the sum of the two; the next norm adds them.
    let stream = '';
    let branch = this.#embed();
    for (let l = 0; l < numLayers; l++) {
      const name = `model.layers.${l}`;
      const [normed, before] = this.#addAndNorm(branch, stream, `${name}.input_layernorm`);
      const mixed = this.#linear(this.#attention(normed, l), `${name}.self_attn.o_proj`);
      const [post, between] = this.#addAndNorm(mixed, before, `${name}.post_attention_layernorm`);
      branch = this.#feedForward(post, `${name}.mlp`);
      stream = between;
    }
    // Only the requested rows go on: the head is the largest product.
    const asked = (x: string) => graph.op('Gather', [x, 'rows'], { attributes: { axis: 1 } });
    const [normed] = this.#addAndNorm(asked(branch), asked(stream), 'model.norm');
    this.#head(normed);
    return graph.finish(this.#config.name);
  }

  #embed(): string {
    const graph = this.#graph;
    const embedding = this.#weights.tensor('model.embed_tokens.weight');
    const { type } = embedding;
    const { rows, k } = rowsAndLength(embedding);
    const { data, scales } = this.#weights.matrix('model.embed_tokens.weight');
    if (type === 'f32') return graph.op('Gather', [data, 'ids'], { attributes: { axis: 0 } });
    const blocks = graph.op('Reshape', [scales, graph.integers(rows, k / GROUP, 1)]);
    const gathered = graph.op('GatherBlockQuantized', [data, 'ids', blocks], {
      domain: MICROSOFT,
      attributes: { gather_axis: 0, quantize_axis: 2, block_size: GROUP, bits: type === 'int4' ? 4 : 8 },
    }); // (1, T, K / 32, 32)
    return graph.op('Reshape', [gathered, graph.integers(1, -1, k)]);
  }

  /** The norm of x + skip, and that sum. An empty skip is none. */
  #addAndNorm(x: string, skip: string, name: string): [normed: string, sum: string] {
    const attributes = { epsilon: { float: this.#config.rmsNormEps } };
    const weight = this.#weights.vector(`${name}.weight`);
    if (skip === '') return [this.#norm(x, weight, 2), x];
    const [normed, sum] = this.#graph.outputs('SkipSimplifiedLayerNormalization', [x, skip, weight], [0, 3], {
      attributes,
      domain: MICROSOFT,
    });
    return [normed!, sum!];
  }

  /** RMSNorm over the last axis. @param axis its number */
  #norm(x: string, weight: string, axis: number): string {
    const attributes = { axis, epsilon: { float: this.#config.rmsNormEps } };
    return this.#graph.op('SimplifiedLayerNormalization', [x, weight], { attributes });
  }

  /** x (1, T, hidden) -> (1, T, heads * d), and the outputs for the cache. */
  #attention(x: string, l: number): string {
    const graph = this.#graph;
    const { numHeads, numKvHeads, headDim } = this.#config;
    const group = numHeads / numKvHeads;
    const name = `model.layers.${l}.self_attn`;
    const split = graph.integers(1, -1, numKvHeads, headDim);
    const [key, value] = [keyNames(l), valueNames(l)];
    const q = this.#rotate(this.#linear(x, `${name}.q_proj`), `${name}.q_norm`, numHeads);
    const k = this.#rotate(this.#linear(x, `${name}.k_proj`), `${name}.k_norm`, numKvHeads);
    graph.op('Reshape', [k, split], { name: key.present });
    graph.op('Reshape', [this.#linear(x, `${name}.v_proj`), split], { name: value.present });
    const join = { attributes: { axis: 1 } };
    const keys = graph.op('Concat', [key.past, key.present], join); // (1, S, kvHeads, d)
    const values = graph.op('Concat', [value.past, value.present], join);

    const scaled = graph.op('Mul', [q, this.#weights.scalar(1 / Math.sqrt(headDim))]);
    const queries = this.#transpose(
      graph.op('Reshape', [scaled, graph.integers(1, -1, numKvHeads, group, headDim)]),
      [0, 2, 3, 1, 4],
    ); // (1, kvHeads, group, T, d)
    const groups = graph.integers(2);
    const keysT = graph.op('Unsqueeze', [this.#transpose(keys, [0, 2, 3, 1]), groups]); // (1, kvHeads, 1, d, S)
    const valuesT = graph.op('Unsqueeze', [this.#transpose(values, [0, 2, 1, 3]), groups]); // (1, kvHeads, 1, S, d)
    const scores = graph.op('Add', [graph.op('MatMul', [queries, keysT]), 'bias']);
    const weights = graph.op('Softmax', [scores], { attributes: { axis: 4 } });
    const mixed = this.#transpose(graph.op('MatMul', [weights, valuesT]), [0, 3, 1, 2, 4]);
    return graph.op('Reshape', [mixed, graph.integers(1, -1, numHeads * headDim)]);
  }

  /** The norm over each head, where the model has one, then RoPE. x (1, T, heads * d) */
  #rotate(x: string, norm: string, heads: number): string {
    const graph = this.#graph;
    const { headDim, qkNorm } = this.#config;
    let given = x;
    if (qkNorm) {
      const split = graph.op('Reshape', [x, graph.integers(1, -1, heads, headDim)]);
      const normed = this.#norm(split, this.#weights.vector(`${norm}.weight`), 3);
      given = graph.op('Reshape', [normed, graph.integers(1, -1, heads * headDim)]);
    }
    const { cosines, sines } = this.#tables;
    const table = (name: string, region: typeof cosines) =>
      this.#weights.constant(name, [this.#maxTokens, headDim / 2], region);
    return graph.op('RotaryEmbedding', [given, 'positions', table('cosines', cosines), table('sines', sines)], {
      domain: MICROSOFT,
      attributes: { interleaved: 0, num_heads: heads },
    });
  }

  #feedForward(x: string, name: string): string {
    const graph = this.#graph;
    const gate = this.#linear(x, `${name}.gate_proj`);
    const up = this.#linear(x, `${name}.up_proj`);
    const act = graph.op('Mul', [gate, graph.op('Sigmoid', [gate])]);
    return this.#linear(graph.op('Mul', [act, up]), `${name}.down_proj`);
  }

  /** x (1, R, hidden) -> the outputs `logits` and `best`. */
  #head(x: string): void {
    const graph = this.#graph;
    const { vocabSize, tieWordEmbeddings } = this.#config;
    const y = this.#linear(x, tieWordEmbeddings ? 'model.embed_tokens' : 'lm_head');
    const floats = this.#type === FLOAT ? y : graph.op('Cast', [y], { attributes: { to: FLOAT } });
    const hidden = graph.external('hidden', FLOAT, [vocabSize], this.#tables.hidden);
    const logits = graph.op('Add', [floats, hidden], { name: 'logits' });
    graph.output('logits', FLOAT, [1, 'R', vocabSize]);

    // ReduceLogSumExp has no shift by the maximum on WebGPU, so it is spelled out.
    const last = graph.integers(2);
    const keep = { attributes: { keepdims: 1 } };
    const below = graph.op('Sub', [logits, graph.op('ReduceMax', [logits, last], keep)]);
    const e = graph.op('Exp', [below]);
    const sum = graph.op('ReduceSum', [e, last], keep);
    const ids = graph.external('ids_as_floats', FLOAT, [vocabSize], this.#tables.ids);
    const best = graph.op('ArgMax', [logits], { attributes: { axis: 2, keepdims: 1 } });
    const id = graph.op('Gather', [ids, best], { attributes: { axis: 0 } }); // integers have no arithmetic on WebGPU
    const prob = graph.op('Reciprocal', [sum]);
    const weighted = graph.op('ReduceSum', [graph.op('Mul', [e, below]), last], keep);
    const entropy = graph.op('Sub', [graph.op('Log', [sum]), graph.op('Div', [weighted, sum])]);
    const target = graph.op('Div', [graph.op('GatherElements', [e, 'targets'], { attributes: { axis: 2 } }), sum]);
    graph.op('Concat', [id, prob, entropy, target], { name: 'best', attributes: { axis: 2 } });
    graph.output('best', FLOAT, [1, 'R', 4]);
  }

  /** x (1, rows, K) w (N, K)^T, with the adapter of mask rows and the bias where there are such. */
  #linear(x: string, name: string): string {
    const graph = this.#graph;
    const base = this.#product(x, `${name}.weight`);
    const names = draftNames(name);
    const y = this.#weights.has(names.a) ? graph.op('Add', [base, this.#draft(x, names)]) : base;
    return this.#weights.has(`${name}.bias`) ? graph.op('Add', [y, this.#weights.vector(`${name}.bias`)]) : y;
  }

  /** B A x on mask rows, 0 on the others. x (1, T, K) */
  #draft(x: string, { a, b }: { readonly a: string; readonly b: string }): string {
    const graph = this.#graph;
    const { rows: rank } = rowsAndLength(this.#weights.tensor(a));
    const low = graph.op('Mul', [this.#product(x, a), MASKS]);
    const wide = graph.op('Pad', [low, graph.integers(0, 0, 0, 0, 0, draftWidth(rank) - rank)]);
    return this.#product(wide, b);
  }

  /** x (1, rows, K) w (N, K)^T */
  #product(x: string, name: string): string {
    const graph = this.#graph;
    const weight = this.#weights.tensor(name);
    const { type } = weight;
    const { rows: n, k } = rowsAndLength(weight);
    const { data, scales } = this.#weights.matrix(name);
    if (type === 'f32') {
      const rows = graph.op('Reshape', [x, graph.integers(-1, k)]);
      const product = graph.op('Gemm', [rows, data], { attributes: { transB: 1 } });
      return graph.op('Reshape', [product, graph.integers(1, -1, n)]);
    }
    const attributes = { K: k, N: n, bits: type === 'int4' ? 4 : 8, block_size: GROUP };
    return graph.op('MatMulNBits', [x, data, scales], { domain: MICROSOFT, attributes });
  }

  #transpose(x: string, order: readonly number[]): string {
    return this.#graph.op('Transpose', [x], { attributes: { perm: order } });
  }
}
