/**
 * How often a model's best guess is the real token, by the definitions of the recipe's `evaluate.py` and on the forwards of
 * decoding. The commit before a block predicts its first token causally. A denoise of the block predicts the others, over
 * everything that was committed before.
 */
import type { DiffusionModel, KvCache } from '../../src/model/model.ts';
import { uniform } from '../../src/sampler/random.ts';
import { Mean } from '../score.ts';

export const BLOCK = 8;
/** The smallest normal float32. A probability that the kernels round to 0 counts as 87 nats, not as infinitely many. */
const LEAST_PROBABILITY = 2 ** -126;
/** Of the masks. */
const SEED = 1234;

export class BlockAccuracy {
  readonly causal = new Mean();
  /** Causal cross-entropy; the softmax leaves the mask token out. */
  readonly nats = new Mean();
  readonly half = new Mean();
  /** Position k + 1 of a block, all of it masked. */
  readonly lookahead = Array.from({ length: BLOCK }, () => new Mean());
  /** The same with the first token visible. */
  readonly known = Array.from({ length: BLOCK }, () => new Mean());
  readonly #model: DiffusionModel;
  #sequences = 0;

  constructor(model: DiffusionModel) {
    if (!model.config.logitShift) throw new Error('heldout: these definitions want a model with the logit shift');
    this.#model = model;
  }

  /** @param ids (L), L a multiple of the block length */
  async add(ids: Int32Array): Promise<void> {
    const cache = this.#model.createCache(ids.length);
    try {
      await this.#add(ids, cache);
    } finally {
      cache.free();
    }
    this.#sequences += 1;
  }

  async #add(ids: Int32Array, cache: KvCache): Promise<void> {
    // Whether the best causal guess for the next position is right.
    let nextRight: boolean | undefined;
    for (let start = 0; start < ids.length; start += BLOCK) {
      const block = ids.subarray(start, start + BLOCK);
      const half = (k: number) => uniform(SEED + this.#sequences, start + k) < 0.5;
      // The very first token has no context: nothing predicts it.
      if (nextRight !== undefined && half(0)) this.half.add(nextRight);
      for (const right of (await this.#denoised(block, half, cache)).values()) this.half.add(right);
      if (nextRight !== undefined) {
        this.lookahead[0]!.add(nextRight);
        this.known[0]!.add(nextRight);
        for (const [k, right] of await this.#denoised(block, () => true, cache)) this.lookahead[k]!.add(right);
        for (const [k, right] of await this.#denoised(block, (k) => k > 0, cache)) this.known[k]!.add(right);
      }
      // The last position has no next token. Its own id stands in, and is not counted.
      const targets = block.map((id, row) => ids[start + row + 1] ?? id); // (B)
      const { ids: next, targetProbs } = await this.#model.commit(block, cache, { rows: 'all', targets });
      const rights = Array.from(next.subarray(0, ids.length - start - 1), (id, row) => id === targets[row]);
      for (const [row, right] of rights.entries()) {
        this.causal.add(right);
        this.nats.add(-Math.log(Math.max(targetProbs![row]!, LEAST_PROBABILITY)));
      }
      nextRight = rights.at(-1);
    }
  }

  /** Whether the best guess at each hidden position but the first is right, by position. */
  async #denoised(block: Int32Array, hidden: (k: number) => boolean, cache: KvCache): Promise<Map<number, boolean>> {
    const noisy = block.map((id, k) => (hidden(k) ? this.#model.config.maskTokenId : id)); // (B)
    const positions = Int32Array.from([...block.keys()].filter((k) => k > 0 && hidden(k))); // (R)
    if (positions.length === 0) return new Map();
    const { ids } = await this.#model.denoise(noisy, cache, { positions });
    return new Map(Array.from(positions, (k, row) => [k, ids[row] === block[k]]));
  }

  /** Fields of the report. */
  summary(): Record<string, number | null> {
    const numbered = (name: (k: number) => string, means: readonly Mean[], first: number) =>
      means.slice(first).map((mean, i) => [name(first + i + 1), mean.rounded] as const);
    return {
      causal_accuracy: this.causal.rounded,
      causal_ce: this.nats.rounded,
      half_masked_accuracy: this.half.rounded,
      ...Object.fromEntries(numbered((k) => `lookahead${k}_accuracy`, this.lookahead, 0)),
      ...Object.fromEntries(numbered((k) => `lookahead${k}_known_accuracy`, this.known, 1)),
    };
  }
}
