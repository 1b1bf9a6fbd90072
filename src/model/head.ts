/** The LM head: logits of rows of the last forward, and the answers to what was asked of them. */
import type { Arena } from '../kernels/arena.ts';
import type { Kernels } from '../kernels/kernels.ts';
import type { Work } from '../kernels/work.ts';
import { mostProbable } from './alternatives.ts';
import type { ModelConfig } from './config.ts';
import type { DecoderWeights } from './decoder-weights.ts';
import { adjusted, countWithin } from './forward/adjust.ts';
import type { Question } from './forward/planned-model.ts';
import type { Linear } from './linear.ts';
import type { Adjustment } from './model.ts';
import { HEAD_ROWS, logitStride, MAX_ROWS, type Workspace } from './workspace.ts';

/** The sampling of an ask that names none: the plain argmax. */
const GREEDY = { temperature: 0, topK: 0, topP: 1, minP: 0 };

/** An answer of `head_predict`. */
const RESULT_BYTES = 16;

export class Head {
  readonly #config: ModelConfig;
  readonly #kernels: Kernels;
  readonly #arena: Arena;
  readonly #at: Workspace;
  readonly #work: Work;
  readonly #linear: Linear;
  readonly #weights: DecoderWeights;

  constructor(
    config: ModelConfig,
    kernels: Kernels,
    arena: Arena,
    workspace: Workspace,
    work: Work,
    linear: Linear,
    weights: DecoderWeights,
  ) {
    this.#config = config;
    this.#kernels = kernels;
    this.#arena = arena;
    this.#at = workspace;
    this.#work = work;
    this.#linear = linear;
    this.#weights = weights;
  }

  /** Rows of all questions share products, HEAD_ROWS at a time. */
  predict(questions: readonly Question[]): void {
    const asked = questions.flatMap((question) =>
      Array.from(question.rows, (row, entry) => ({ question, row, entry })),
    );
    const stride = logitStride(this.#config.vocabSize) * 4;
    const { logits, result } = this.#at;
    let uploaded: Adjustment | undefined;
    for (let from = 0; from < asked.length; from += HEAD_ROWS) {
      const group = asked.slice(from, from + HEAD_ROWS);
      this.logits(Int32Array.from(group, ({ row }) => row));
      for (const [i, { question, entry }] of group.entries()) {
        uploaded = this.#answer(question, entry, logits + i * stride, result + i * RESULT_BYTES, uploaded);
      }
      this.#work.finish();
      for (const [i, { question, entry }] of group.entries()) this.#read(question, entry, result + i * RESULT_BYTES);
    }
  }

  /**
   * Answers at the latest when the work is finished.
   * @param logits address of the row's
   * @param result address of the answer
   * @param uploaded adjustment that lies in memory
   * @returns the one that lies there now
   */
  #answer(
    { ask, predictions }: Question,
    entry: number,
    logits: number,
    result: number,
    uploaded: Adjustment | undefined,
  ): Adjustment | undefined {
    const { vocabSize, maskTokenId } = this.#config;
    const { sampling, targets, alternatives = 0 } = ask;
    const { temperature, topK, topP, minP = 0 } = sampling ?? GREEDY;
    const adjustment = sampling?.adjustments?.[entry];
    const row = this.#arena.f32(logits, vocabSize);
    // With factors the additions follow from the row's own logits.
    if (adjustment && (adjustment !== uploaded || adjustment.factors)) this.#upload(adjustment, row);
    const within = minP > 0 && temperature > 0 ? countWithin(row, maskTokenId, adjustment, temperature, minP) : topK;
    if (alternatives > 0) {
      // Before `head_predict`, which overwrites the row.
      const top = [entry * alternatives, (entry + 1) * alternatives] as const;
      mostProbable(row, maskTokenId, predictions.topIds!.subarray(...top), predictions.topProbs!.subarray(...top));
    }
    const kept = topK > 0 ? Math.min(topK, within) : within;
    const uniform = sampling ? sampling.uniforms[entry]! : 0;
    const target = targets?.[entry] ?? -1;
    if (adjustment) {
      // At once, on this thread: there is memory for one adjustment.
      const { length } = adjustment.ids;
      const at = this.#adjustments;
      const predict = this.#kernels.head_predict;
      predict(result, logits, vocabSize, maskTokenId, temperature, kept, topP, uniform, target, at, length);
    } else {
      this.#work.predict(result, logits, vocabSize, maskTokenId, temperature, kept, topP, uniform, target);
    }
    return adjustment ?? uploaded;
  }

  #read({ predictions }: Question, entry: number, result: number): void {
    const numbers = this.#arena.f32(result, 4);
    predictions.ids[entry] = this.#arena.i32(result, 1)[0]!;
    predictions.probs[entry] = numbers[1]!;
    predictions.entropies[entry] = numbers[2]!;
    if (predictions.targetProbs) predictions.targetProbs[entry] = numbers[3]!;
  }

  /** Logits of at most HEAD_ROWS rows, in the workspace: (R, logitStride(V)). */
  logits(rows: Int32Array): Float32Array {
    const { hiddenSize, vocabSize, rmsNormEps } = this.#config;
    const { x, normed, logits } = this.#at;
    const { head, finalNorm } = this.#weights;
    const stride = logitStride(vocabSize);
    rows.forEach((row, i) => {
      this.#kernels.rms_norm(
        normed + i * hiddenSize * 4,
        x + row * hiddenSize * 4,
        finalNorm,
        1,
        hiddenSize,
        rmsNormEps,
      );
    });
    this.#linear.quantize(normed, rows.length, hiddenSize, head);
    this.#linear.multiply(logits, stride, 0, normed, head, rows.length);
    this.#linear.finish();
    return this.#arena.f32(logits, rows.length * stride);
  }

  /**
   * @param row plain logits (V)
   * @throws RangeError on more adjustments than there is room for
   */
  #upload(adjustment: Adjustment, row: Float32Array): void {
    const { ids, deltas, factors } = adjustment;
    const { numHeads, numKvHeads, headDim } = this.#config;
    const room = MAX_ROWS * (numHeads + 2 * numKvHeads) * headDim;
    if (ids.length * 3 > room)
      throw new RangeError(`${ids.length} adjusted ids, there is room for ${Math.floor(room / 3)}`);
    const entries = this.#arena.i32(this.#adjustments, ids.length * 3);
    const floats = this.#arena.f32(this.#adjustments, ids.length * 3);
    for (let i = 0; i < ids.length; i++) {
      entries[3 * i] = ids[i]!;
      const plain = row[ids[i]!]!;
      floats[3 * i + 1] = factors ? adjusted(plain, adjustment, i) - plain : deltas[i]!;
    }
  }

  /** Entries of `head_predict`. They share the bytes of qkv, which nothing reads between one forward and the next. */
  get #adjustments(): number {
    return this.#at.qkv;
  }
}
