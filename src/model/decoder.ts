/** One forward pass of a Llama-shaped decoder on the WASM kernels. It knows tensors and pages, not requests. */
import type { Arena } from '../kernels/arena.ts';
import type { Kernels } from '../kernels/kernels.ts';
import { ATTENTION, ATTENTION_I16 } from '../kernels/tasks.ts';
import { DirectWork, type Work } from '../kernels/work.ts';
import type { ModelConfig } from './config.ts';
import { type DecoderWeights, decoderWeights } from './decoder-weights.ts';
import { DraftProducts, maskRuns, type RowRange } from './forward/draft-products.ts';
import type { Question } from './forward/planned-model.ts';
import { NOBODY, type SequenceRows, spansOf, type Tile, tilesOf } from './forward/sequence-rows.ts';
import { Head } from './head.ts';
import { type Activations, Linear } from './linear.ts';
import type { Tensors } from './weights.ts';
import type { KvNumbers, Workspace } from './workspace.ts';

const NONE: readonly RowRange[] = [];

export class Decoder {
  readonly #config: ModelConfig;
  readonly #kernels: Kernels;
  /** The memory of weights, KV pages and scratch. Parity tests read KV from it. */
  readonly arena: Arena;
  readonly kv: KvNumbers;
  readonly #at: Workspace;
  readonly #work: Work;
  readonly #weights: DecoderWeights;
  readonly #linear: Linear;
  readonly #head: Head;
  readonly #drafts: DraftProducts | null;

  /** @throws ModelLoadError naming a tensor that does not fit the configuration */
  constructor(
    config: ModelConfig,
    kernels: Kernels,
    arena: Arena,
    workspace: Workspace,
    tensors: Tensors,
    activations: Activations,
    work: Work = new DirectWork(kernels, workspace.scratch),
  ) {
    this.#config = config;
    this.kv = activations;
    this.#kernels = kernels;
    this.arena = arena;
    this.#at = workspace;
    this.#work = work;
    this.#weights = decoderWeights(tensors, config);
    this.#linear = new Linear(config, kernels, workspace, work, activations);
    this.#drafts = config.drafts && new DraftProducts(kernels, workspace, work, activations, config.drafts.rank);
    this.#head = new Head(config, kernels, arena, workspace, work, this.#linear, this.#weights);
  }

  /**
   * One pass over the weights for all sequences, and their KV to their pages. Hidden states stay in the workspace: those of the
   * first sequence first.
   *
   * Rows beyond one tile go through each layer tile by tile: first the KV of all, then attention, which reads it.
   * @param from first row whose hidden state is wanted: rows before it end with the last layer's KV
   * @param top first layer to run, and `bottom` the one after the last: all of them, except to time a few
   */
  forward(
    sequences: readonly SequenceRows[],
    pageTokens: number,
    from: number,
    top = 0,
    bottom = this.#weights.layers.length,
  ): void {
    const at = this.#at;
    const { hiddenSize } = this.#config;
    const spans = spansOf(sequences, this.#writePages(sequences));
    this.#writeVisible(sequences);
    const ids = Int32Array.from(sequences.flatMap((sequence) => Array.from(sequence.ids))); // (T)
    const rows = ids.length;
    for (let row = 0; row < rows; row++) this.#embed(at.x + row * hiddenSize * 4, ids[row]!);
    const masks = this.#drafts ? maskRuns(ids, this.#config.maskTokenId) : NONE;
    const tiles = tilesOf(spans, 0, rows);
    const wanted = tilesOf(spans, from, rows);
    for (let l = top; l < bottom; l++) {
      for (const tile of tiles) this.#project(l, tile, masks, pageTokens);
      for (const tile of l === bottom - 1 ? wanted : tiles) this.#mix(l, tile, masks, pageTokens);
    }
  }

  /** Answers questions about rows of the last forward, before the next one. */
  predict(questions: readonly Question[]): void {
    this.#head.predict(questions);
  }

  /** Logits of at most HEAD_ROWS rows of the last forward, in the workspace: (R, logitStride(V)). For parity tests. */
  logits(rows: Int32Array): Float32Array {
    return this.#head.logits(rows);
  }

  #embed(y: number, id: number): void {
    const { type, parts, k } = this.#weights.embedding;
    const part = parts.find((p) => id < p.to);
    if (!part || id < 0) throw new RangeError(`token id ${id} is outside the vocabulary`);
    const row = id - part.from;
    const rows = part.to - part.from;
    if (type === 'int4') this.#kernels.embed_q4(y, part.data, part.scales, row, rows, k);
    else if (type === 'int8') this.#kernels.embed_q8(y, part.data, part.scales, row, rows, k);
    else this.arena.f32(y, k).set(this.arena.f32(part.data + row * k * 4, k));
  }

  /** Writes how many positions each row attends to. */
  #writeVisible(sequences: readonly SequenceRows[]): void {
    let row = 0;
    for (const { visible } of sequences) {
      this.arena.i32(this.#at.visible + row * 4, visible.length).set(visible);
      row += visible.length;
    }
  }

  /** Writes the page table of each sequence. @returns their addresses */
  #writePages(sequences: readonly SequenceRows[]): number[] {
    const { pages } = this.#at;
    let used = 0;
    return sequences.map((sequence) => {
      const address = pages + used * 4;
      this.arena.u32(address, sequence.pages.length).set(sequence.pages);
      used += sequence.pages.length;
      return address;
    });
  }

  /** Queries of a tile's rows, and their KV, which goes to the pages. */
  #project(l: number, { first: tile, rows, spans }: Tile, masks: readonly RowRange[], pageTokens: number): void {
    const k = this.#kernels;
    const at = this.#at;
    const linear = this.#linear;
    const { hiddenSize, numHeads, numKvHeads, headDim, rmsNormEps } = this.#config;
    const qWidth = numHeads * headDim;
    const kvWidth = numKvHeads * headDim;
    const qkvWidth = qWidth + 2 * kvWidth;
    const queries = at.qkv + tile * qkvWidth * 4;
    const keys = queries + qWidth * 4;
    const values = keys + kvWidth * 4;
    const layer = this.#weights.layers[l]!;
    linear.norm(at.x + tile * hiddenSize * 4, layer.inputNorm, rows, layer.q);
    linear.multiply(queries, qkvWidth, 0, at.normed, layer.q, rows);
    linear.multiply(keys, qkvWidth, 0, at.normed, layer.k, rows);
    linear.multiply(values, qkvWidth, 0, at.normed, layer.v, rows);
    linear.finish();
    if (layer.drafts) {
      const outputs = [
        { y: queries, ldy: qkvWidth, adapter: layer.drafts.q },
        { y: keys, ldy: qkvWidth, adapter: layer.drafts.k },
        { y: values, ldy: qkvWidth, adapter: layer.drafts.v },
      ];
      this.#drafts?.add(outputs, at.normed, tile, rows, masks);
    }
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
    for (const { row, rows, start, pages, instead } of spans) {
      k.rope(at.qkv + row * qkvWidth * 4, qkvWidth, at.rope, start, rows, numHeads + numKvHeads, headDim);
      if (instead === undefined) this.#store(l, pages, start, row, rows, pageTokens);
    }
  }

  /** KV of rows, from `row` on, to the places from `start` on. */
  #store(l: number, pages: number, start: number, row: number, rows: number, pageTokens: number): void {
    const { numHeads, numKvHeads, headDim } = this.#config;
    const kvWidth = numKvHeads * headDim;
    const qkvWidth = numHeads * headDim + 2 * kvWidth;
    const key = this.#at.qkv + (row * qkvWidth + numHeads * headDim) * 4;
    const store = this.kv === 'int8' ? this.#kernels.kv_store : this.#kernels.kv_store_i16;
    store(pages, l, start, key, key + kvWidth * 4, qkvWidth, rows, numKvHeads, headDim, pageTokens);
  }

  /** Attention over the KV that `project` has stored, then the MLP, of rows `first` on. */
  #mix(l: number, { first, rows: count, spans }: Tile, masks: readonly RowRange[], pageTokens: number): void {
    const at = this.#at;
    const linear = this.#linear;
    const { hiddenSize, intermediateSize, numHeads, numKvHeads, headDim } = this.#config;
    const qWidth = numHeads * headDim;
    const qkvWidth = qWidth + 2 * numKvHeads * headDim;
    const layer = this.#weights.layers[l]!;
    const x = at.x + first * hiddenSize * 4;
    for (const span of spans) {
      const { instead } = span;
      // A mask has the place of a token while it attends, and no longer.
      if (instead !== undefined) {
        linear.finish();
        this.#store(l, span.pages, span.start, span.row, 1, pageTokens);
      }
      this.#work.attend(
        this.kv === 'int8' ? ATTENTION : ATTENTION_I16,
        at.normed + (span.row - first) * qWidth * 4,
        at.qkv + span.row * qkvWidth * 4,
        qkvWidth,
        at.visible + span.row * 4,
        span.pages,
        l,
        span.rows,
        numHeads,
        numKvHeads,
        headDim,
        pageTokens,
        span.start + span.rows,
      );
      if (instead !== undefined && instead !== NOBODY) {
        linear.finish();
        this.#store(l, span.pages, span.start, instead, 1, pageTokens);
      }
    }
    linear.finish();
    linear.quantize(at.normed, count, qWidth, layer.o);
    linear.multiply(x, hiddenSize, 1, at.normed, layer.o, count);
    linear.finish();
    const { drafts } = layer;
    if (drafts) this.#drafts?.add([{ y: x, ldy: hiddenSize, adapter: drafts.o }], at.normed, first, count, masks);
    linear.norm(x, layer.postNorm, count, layer.gate);
    linear.multiply(at.gateUp, 2 * intermediateSize, 0, at.normed, layer.gate, count);
    linear.multiply(at.gateUp + intermediateSize * 4, 2 * intermediateSize, 0, at.normed, layer.up, count);
    linear.finish();
    if (drafts) {
      const ldy = 2 * intermediateSize;
      const outputs = [
        { y: at.gateUp, ldy, adapter: drafts.gate },
        { y: at.gateUp + intermediateSize * 4, ldy, adapter: drafts.up },
      ];
      this.#drafts?.add(outputs, at.normed, first, count, masks);
    }
    linear.swiglu(count, intermediateSize, layer.down);
    linear.multiply(x, hiddenSize, 1, at.act, layer.down, count);
    linear.finish();
    if (drafts) this.#drafts?.add([{ y: x, ldy: hiddenSize, adapter: drafts.down }], at.act, first, count, masks);
  }
}
