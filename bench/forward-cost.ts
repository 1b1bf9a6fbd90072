/** The time of single forwards of the default model, and the work in one. */
import type { ModelConfig } from '../src/model/config.ts';
import { GROUP, type Manifest, rowBytes } from '../src/model/manifest.ts';
import type { DiffusionModel, KvCache } from '../src/model/model.ts';
import type { Work } from './roofline/cost-model.ts';

/** Committed tokens that a timed forward attends to. */
const CONTEXT = 128;

export class ForwardClock {
  readonly #model: DiffusionModel;
  readonly #cache: KvCache;

  /** @param widest forward that will be timed. */
  static async create(model: DiffusionModel, widest: number): Promise<ForwardClock> {
    const cache = model.createCache(CONTEXT + widest);
    await model.commit(someIds(CONTEXT, model.config), cache, { rows: 'last' });
    return new ForwardClock(model, cache);
  }

  private constructor(model: DiffusionModel, cache: KvCache) {
    this.#model = model;
    this.#cache = cache;
  }

  /** Milliseconds of one forward. @param rows `all`: the LM head for every position; `last`: for one. */
  async time(positions: number, rows: 'all' | 'last'): Promise<number> {
    const ids = someIds(positions, this.#model.config);
    const start = performance.now();
    await this.#model.commit(ids, this.#cache, { rows });
    const elapsed = performance.now() - start;
    this.#cache.truncate(CONTEXT);
    return elapsed;
  }

  close(): void {
    this.#cache.free();
  }
}

/** Bytes of weights that any forward reads, and multiplications per position with the LM head. */
export function forwardWork(manifest: Manifest, config: ModelConfig): Work {
  const read = manifest.tensors.filter(({ name }) => config.tieWordEmbeddings || !name.includes('embed_tokens'));
  let bytes = 0;
  let macs = 0;
  for (const { type, shape } of read) {
    const [rows = 0, k = 1] = shape;
    bytes += rows * (rowBytes(type, k) + (type === 'f32' ? 0 : (2 * k) / GROUP));
    if (shape.length === 2) macs += rows * k;
  }
  return { bytes, macs };
}

/** Ids spread over the vocabulary: their embeddings lie apart, as a text's do. */
function someIds(count: number, { vocabSize }: ModelConfig): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => 100 + ((i * 7919) % (vocabSize - 100)));
}
