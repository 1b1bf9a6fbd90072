/** One forward pass of a Llama-shaped decoder on the WASM kernels. Knows tensors and pages, not requests. */
import type { Arena } from '../kernels/arena.ts';
import type { Kernels } from '../kernels/kernels.ts';
import { DirectProducts, F32, INT4, INT8, type Products } from '../kernels/products.ts';
import { mostProbable } from './alternatives.ts';
import type { ModelConfig } from './config.ts';
import { ModelLoadError } from './errors.ts';
import type { Adjustment, Predictions, RowAsk } from './model.ts';
import type { Tensor, Tensors } from './weights.ts';
import { HEAD_ROWS, logitStride, MAX_ROWS, type Workspace } from './workspace.ts';

interface Layer {
  readonly inputNorm: number;
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
  readonly qkvBias: readonly [number, number, number] | null;
  readonly qkNorm: readonly [number, number] | null;
  readonly o: Tensor;
  readonly postNorm: number;
  readonly gate: Tensor;
  readonly up: Tensor;
  readonly down: Tensor;
}

/**
 * How the input of a quantized layer is rounded: one int8 row, or two that carry 15 bits together at about twice the
 * multiplications.
 */
export type Activations = 'int8' | 'int16';

export class Decoder {
  private readonly config: ModelConfig;
  private readonly kernels: Kernels;
  private readonly arena: Arena;
  private readonly at: Workspace;
  private readonly layers: readonly Layer[];
  private readonly embedding: Tensor;
  private readonly finalNorm: number;
  private readonly head: Tensor;
  private readonly limbs: 1 | 2;
  private readonly products: Products;

  constructor(
    config: ModelConfig,
    kernels: Kernels,
    arena: Arena,
    workspace: Workspace,
    tensors: Tensors,
    activations: Activations,
    products: Products = new DirectProducts(kernels, workspace.panel),
  ) {
    this.config = config;
    this.products = products;
    this.limbs = activations === 'int8' ? 1 : 2;
    this.kernels = kernels;
    this.arena = arena;
    this.at = workspace;
    const { hiddenSize, intermediateSize, numHeads, numKvHeads, headDim, vocabSize } = config;
    const matrix = (name: string, rows: number, k: number): Tensor => {
      const tensor = tensors.get(name);
      if (!tensor) throw new ModelLoadError(`tensor ${name} is missing from manifest.json`);
      if (tensor.rows !== rows || tensor.k !== k) {
        throw new ModelLoadError(`tensor ${name} is ${tensor.rows} x ${tensor.k}, config.json asks for ${rows} x ${k}`);
      }
      return tensor;
    };
    const vector = (name: string, length: number): number => {
      const tensor = matrix(name, length, 1);
      const part = tensor.parts[0];
      if (tensor.type !== 'f32' || !part || tensor.parts.length !== 1) {
        throw new ModelLoadError(`vector ${name} must be one f32 part`);
      }
      return part.data;
    };
    const qWidth = numHeads * headDim;
    const kvWidth = numKvHeads * headDim;
    this.embedding = matrix('model.embed_tokens.weight', vocabSize, hiddenSize);
    this.layers = Array.from({ length: config.numLayers }, (_, i) => {
      const name = (rest: string) => `model.layers.${i}.${rest}`;
      const layer: Layer = {
        inputNorm: vector(name('input_layernorm.weight'), hiddenSize),
        q: matrix(name('self_attn.q_proj.weight'), qWidth, hiddenSize),
        k: matrix(name('self_attn.k_proj.weight'), kvWidth, hiddenSize),
        v: matrix(name('self_attn.v_proj.weight'), kvWidth, hiddenSize),
        qkvBias: config.qkvBias
          ? ([
              vector(name('self_attn.q_proj.bias'), qWidth),
              vector(name('self_attn.k_proj.bias'), kvWidth),
              vector(name('self_attn.v_proj.bias'), kvWidth),
            ] as const)
          : null,
        qkNorm: config.qkNorm
          ? ([
              vector(name('self_attn.q_norm.weight'), headDim),
              vector(name('self_attn.k_norm.weight'), headDim),
            ] as const)
          : null,
        o: matrix(name('self_attn.o_proj.weight'), hiddenSize, qWidth),
        postNorm: vector(name('post_attention_layernorm.weight'), hiddenSize),
        gate: matrix(name('mlp.gate_proj.weight'), intermediateSize, hiddenSize),
        up: matrix(name('mlp.up_proj.weight'), intermediateSize, hiddenSize),
        down: matrix(name('mlp.down_proj.weight'), hiddenSize, intermediateSize),
      };
      requireOneType(layer.q, layer.k, layer.v);
      requireOneType(layer.gate, layer.up);
      return layer;
    });
    this.finalNorm = vector('model.norm.weight', hiddenSize);
    this.head = config.tieWordEmbeddings ? this.embedding : matrix('lm_head.weight', vocabSize, hiddenSize);
  }

  /**
   * Runs `ids` at positions `start`..., writing their KV to the pages; hidden states stay in the workspace.
   *
   * More rows than a tile go through each layer tile by tile: first the KV of all, then what reads it.
   * @param visible per row, how many positions (from 0) it attends to. (rows)
   * @param from first row whose hidden state is wanted: rows before it end with the last layer's KV
   * @param top first layer to run, and `bottom` the one after the last: other than all of them only to time some
   */
  forward(
    ids: Int32Array,
    start: number,
    visible: Int32Array,
    pages: Uint32Array,
    pageTokens: number,
    from: number,
    top = 0,
    bottom = this.layers.length,
  ): void {
    const { at } = this;
    const { hiddenSize } = this.config;
    const rows = ids.length;
    this.arena.u32(at.pages, pages.length).set(pages);
    for (let row = 0; row < rows; row++) this.embed(at.x + row * hiddenSize * 4, ids[row] ?? 0);
    for (let l = top; l < bottom; l++) {
      for (let tile = 0; tile < rows; tile += MAX_ROWS) {
        this.project(l, start, tile, Math.min(MAX_ROWS, rows - tile), pageTokens);
      }
      const wanted = l === bottom - 1 ? from : 0;
      for (let tile = 0; tile < rows; tile += MAX_ROWS) {
        const first = Math.max(tile, wanted);
        const end = Math.min(tile + MAX_ROWS, rows);
        if (first < end) this.mix(l, first, end - first, visible, pageTokens);
      }
    }
  }

  /** Queries of rows from `tile` on, and their KV, which goes to the pages. */
  private project(l: number, start: number, tile: number, rows: number, pageTokens: number): void {
    const { kernels: k, at, config } = this;
    const { hiddenSize, numHeads, numKvHeads, headDim, rmsNormEps } = config;
    const qWidth = numHeads * headDim;
    const kvWidth = numKvHeads * headDim;
    const qkvWidth = qWidth + 2 * kvWidth;
    const queries = at.qkv + tile * qkvWidth * 4;
    const keys = queries + qWidth * 4;
    const values = keys + kvWidth * 4;
    const layer = this.layers[l] as Layer;
    this.norm(at.x + tile * hiddenSize * 4, layer.inputNorm, rows, layer.q);
    this.linear(queries, qkvWidth, 0, at.normed, layer.q, rows);
    this.linear(keys, qkvWidth, 0, at.normed, layer.k, rows);
    this.linear(values, qkvWidth, 0, at.normed, layer.v, rows);
    this.products.finish();
    if (layer.qkvBias) {
      k.add_bias(queries, qkvWidth, layer.qkvBias[0], rows, qWidth);
      k.add_bias(keys, qkvWidth, layer.qkvBias[1], rows, kvWidth);
      k.add_bias(values, qkvWidth, layer.qkvBias[2], rows, kvWidth);
    }
    if (layer.qkNorm) {
      for (let row = 0; row < rows; row++) {
        const q = queries + row * qkvWidth * 4;
        k.rms_norm(q, q, layer.qkNorm[0], numHeads, headDim, rmsNormEps);
        k.rms_norm(q + qWidth * 4, q + qWidth * 4, layer.qkNorm[1], numKvHeads, headDim, rmsNormEps);
      }
    }
    k.rope(queries, qkvWidth, at.rope, start + tile, rows, numHeads + numKvHeads, headDim);
    k.kv_store(at.pages, l, start + tile, keys, values, qkvWidth, rows, numKvHeads, headDim, pageTokens);
  }

  /** Attention over what `project` has stored, and the MLP, of rows `first` on. */
  private mix(l: number, first: number, count: number, visible: Int32Array, pageTokens: number): void {
    const { kernels: k, at, config } = this;
    const { hiddenSize, intermediateSize, numHeads, numKvHeads, headDim } = config;
    const qWidth = numHeads * headDim;
    const qkvWidth = qWidth + 2 * numKvHeads * headDim;
    const layer = this.layers[l] as Layer;
    const x = at.x + first * hiddenSize * 4;
    this.arena.i32(at.visible, count).set(visible.subarray(first, first + count));
    k.attention(
      at.normed,
      at.qkv + first * qkvWidth * 4,
      qkvWidth,
      at.visible,
      at.pages,
      l,
      count,
      numHeads,
      numKvHeads,
      headDim,
      pageTokens,
      at.attention,
    );
    this.quantize(at.normed, count, qWidth, layer.o);
    this.linear(x, hiddenSize, 1, at.normed, layer.o, count);
    this.products.finish();
    this.norm(x, layer.postNorm, count, layer.gate);
    this.linear(at.gateUp, 2 * intermediateSize, 0, at.normed, layer.gate, count);
    this.linear(at.gateUp + intermediateSize * 4, 2 * intermediateSize, 0, at.normed, layer.up, count);
    this.products.finish();
    if (layer.down.type === 'f32') k.swiglu(at.act, at.gateUp, count, intermediateSize);
    else k.swiglu_quantize(at.q8, at.gateUp, count, intermediateSize, this.limbs, words(layer.down));
    this.linear(x, hiddenSize, 1, at.act, layer.down, count);
    this.products.finish();
  }

  /**
   * Answers `ask` for rows of the last forward, before the next one.
   * @param at entry of `ask` and of `predictions` that the first row fills
   */
  predict(
    rows: Int32Array,
    { sampling, targets, alternatives = 0 }: RowAsk,
    predictions: Predictions,
    at: number,
  ): void {
    const { kernels, config } = this;
    const { logits, result } = this.at;
    const stride = logitStride(config.vocabSize) * 4;
    const id = this.arena.i32(result, 1);
    const numbers = this.arena.f32(result, 4);
    let uploaded: Adjustment | undefined;
    for (let from = 0; from < rows.length; from += HEAD_ROWS) {
      const count = Math.min(HEAD_ROWS, rows.length - from);
      this.logits(rows.subarray(from, from + count));
      for (let i = 0; i < count; i++) {
        const entry = at + from + i;
        const adjustment = sampling?.adjustments?.[entry];
        if (adjustment && adjustment !== uploaded) this.upload(adjustment);
        uploaded = adjustment;
        if (alternatives > 0) {
          // Before the head, which overwrites the row.
          const top = [entry * alternatives, (entry + 1) * alternatives] as const;
          const row = this.arena.f32(logits + i * stride, config.vocabSize);
          const { topIds, topProbs } = predictions;
          if (topIds && topProbs)
            mostProbable(row, config.maskTokenId, topIds.subarray(...top), topProbs.subarray(...top));
        }
        kernels.head_predict(
          result,
          logits + i * stride,
          config.vocabSize,
          config.maskTokenId,
          sampling?.temperature ?? 0,
          sampling?.topK ?? 0,
          sampling?.topP ?? 1,
          sampling?.uniforms[entry] ?? 0,
          targets?.[entry] ?? -1,
          this.adjustments,
          adjustment?.ids.length ?? 0,
        );
        predictions.ids[entry] = id[0] ?? 0;
        predictions.probs[entry] = numbers[1] ?? 0;
        predictions.entropies[entry] = numbers[2] ?? 0;
        if (predictions.targetProbs) predictions.targetProbs[entry] = numbers[3] ?? 0;
      }
    }
  }

  /** @throws RangeError on more adjustments than there is room for */
  private upload({ ids, deltas }: Adjustment): void {
    const { numHeads, numKvHeads, headDim } = this.config;
    const room = MAX_ROWS * (numHeads + 2 * numKvHeads) * headDim;
    if (ids.length * 3 > room)
      throw new RangeError(`${ids.length} adjusted ids, there is room for ${Math.floor(room / 3)}`);
    const entries = this.arena.i32(this.adjustments, ids.length * 3);
    const floats = this.arena.f32(this.adjustments, ids.length * 3);
    for (let i = 0; i < ids.length; i++) {
      entries[3 * i] = ids[i] ?? 0;
      floats[3 * i + 1] = deltas[i] ?? 0;
    }
  }

  /** Entries of `head_predict`. They share the bytes of qkv, which nothing reads between a forward and the next. */
  private get adjustments(): number {
    return this.at.qkv;
  }

  /** Logits of at most HEAD_ROWS rows of the last forward, in the workspace: (R, logitStride(V)). For parity tests. */
  logits(rows: Int32Array): Float32Array {
    const { at, kernels, config } = this;
    const { hiddenSize, vocabSize } = config;
    const stride = logitStride(vocabSize);
    rows.forEach((row, i) => {
      const to = at.normed + i * hiddenSize * 4;
      kernels.rms_norm(to, at.x + row * hiddenSize * 4, this.finalNorm, 1, hiddenSize, config.rmsNormEps);
    });
    this.quantize(at.normed, rows.length, hiddenSize, this.head);
    this.linear(at.logits, stride, 0, at.normed, this.head, rows.length);
    this.products.finish();
    return this.arena.f32(at.logits, rows.length * stride);
  }

  private embed(y: number, id: number): void {
    const { type, parts, k } = this.embedding;
    const part = parts.find((p) => id < p.to);
    if (!part || id < 0) throw new RangeError(`token id ${id} is outside the vocabulary`);
    const row = id - part.from;
    const rows = part.to - part.from;
    if (type === 'int4') this.kernels.embed_q4(y, part.data, part.scales, row, rows, k);
    else if (type === 'int8') this.kernels.embed_q8(y, part.data, part.scales, row, rows, k);
    else this.arena.f32(y, k).set(this.arena.f32(part.data + row * k * 4, k));
  }

  /** RMSNorm of x (rows, hidden), as the `linear` calls that follow read it: records, or floats in `normed`. */
  private norm(x: number, weight: number, rows: number, reader: Tensor): void {
    const { kernels: k, at, limbs } = this;
    const { hiddenSize, rmsNormEps } = this.config;
    if (reader.type === 'f32') k.rms_norm(at.normed, x, weight, rows, hiddenSize, rmsNormEps);
    else k.rms_norm_quantize(at.q8, x, weight, rows, hiddenSize, rmsNormEps, limbs, words(reader));
  }

  /** Input of the `linear` calls that follow, where their weights are quantized. */
  private quantize(x: number, rows: number, k: number, reader: Tensor): void {
    if (reader.type !== 'f32') this.kernels.quantize(this.at.q8, x, rows, k, this.limbs, words(reader));
  }

  /** y (rows, ldy) = or += x W^T, once `products` has finished. Quantized weights read what `norm` or `quantize` left. */
  private linear(y: number, ldy: number, accumulate: 0 | 1, x: number, w: Tensor, rows: number): void {
    const kind = w.type === 'int4' ? INT4 : w.type === 'int8' ? INT8 : F32;
    const input = w.type === 'f32' ? x : this.at.q8;
    for (const { from, to, data, scales } of w.parts) {
      this.products.add(kind, y + from * 4, ldy, accumulate, input, data, scales, rows, to - from, w.k, this.limbs);
    }
  }
}

/** @throws ModelLoadError where tensors that read the same input have different types: it is rounded once for all */
function requireOneType(first: Tensor, ...siblings: readonly Tensor[]): void {
  const other = siblings.find((tensor) => tensor.type !== first.type);
  if (other) throw new ModelLoadError(`${first.name} is ${first.type} and ${other.name} is ${other.type}`);
}

/** Which encoding of the input a tensor's kernel reads: 1 for words, 0 for what suits int4. */
function words(reader: Tensor): 0 | 1 {
  return reader.type === 'int8' ? 1 : 0;
}
