/** Commits, denoises and advances as forwards over rows. A runtime says how it runs such a forward, and nothing else. */
import type { ModelConfig } from '../config.ts';
import type {
  AdvanceAsk,
  Advanced,
  CommitAsk,
  DenoiseAsk,
  DiffusionModel,
  KvCache,
  Predictions,
  RowAsk,
} from '../model.ts';
import { emptyPredictions } from './predictions.ts';
import { blockRows, commitRows, range, staleTokens } from './rows.ts';
import { committedVisible } from './visibility.ts';

/** A cache that forwards can be planned for. */
export interface SequenceCache extends KvCache {
  /** Position at which the first whole block begins. */
  readonly origin: number;
  /** @throws RangeError when `tokens` more do not fit, Error after `free` */
  requireRoom(tokens: number): void;
}

/** Rows of a forward, the ask about them, and the place of the answers. */
export interface Question {
  readonly rows: Int32Array; // (R), ascending
  readonly ask: RowAsk;
  readonly predictions: Predictions;
  /** Entry of `ask` and of `predictions` that belongs to the first row. */
  readonly entry: number;
}

/** One forward of one sequence. Row i stands at position `cache.length + i`. */
export interface Forward<Cache extends SequenceCache> {
  readonly cache: Cache;
  readonly ids: Int32Array; // (T)
  /** How many positions, counted from 0, each row attends to. */
  readonly visible: Int32Array; // (T)
  /** Leading rows whose KV the cache takes as its next tokens. The KV of the other rows is overwritten later. */
  readonly append: number;
  /** The rows to append are clean tokens: their KV is what a prefill would write. Otherwise masks took part in it. */
  readonly clean: boolean;
  readonly questions: readonly Question[];
}

export abstract class PlannedModel<Cache extends SequenceCache>
  implements Pick<DiffusionModel, 'config' | 'maxForward' | 'commit' | 'denoise' | 'advance'>
{
  abstract readonly config: ModelConfig;
  abstract readonly maxForward: number;

  /** @throws TypeError for a cache that another model made */
  protected abstract own(cache: KvCache): Cache;

  /**
   * Runs one forward, appends to its cache and answers its questions. A runtime that computes synchronously returns
   * nothing: the caller then goes on without a turn of the event loop, so nobody sees a commit half done.
   *
   * Batches join here: a runtime that takes rows of several sequences would take several forwards.
   */
  protected abstract run(forward: Forward<Cache>): Promise<void> | undefined;

  async commit(ids: Int32Array, cache: KvCache, ask: CommitAsk): Promise<Predictions> {
    const own = this.own(cache);
    own.requireRoom(ids.length);
    const all = ask.rows === 'all';
    const predictions = emptyPredictions(all ? ids.length : 1, ask, this.config);
    for (let done = 0; done < ids.length; ) {
      const left = ids.length - done;
      const rows = commitRows(this.config, own.length - own.origin, left);
      const input = ids.subarray(done, done + rows);
      const visible = this.#cleanVisible(own, rows, own.length + left);
      const questions: Question[] = [];
      if (all) questions.push({ rows: range(0, rows), ask, predictions, entry: done });
      else if (rows === left) questions.push({ rows: range(rows - 1, rows), ask, predictions, entry: 0 });
      const running = this.run({ cache: own, ids: input, visible, append: rows, clean: true, questions });
      if (running) await running;
      done += rows;
    }
    return predictions;
  }

  async denoise(ids: Int32Array, cache: KvCache, ask: DenoiseAsk): Promise<Predictions> {
    const own = this.own(cache);
    const { keep, ahead } = staleTokens(this.config, ids.length, ask);
    own.requireRoom(ids.length + ahead);
    const rows = blockRows(this.config, this.maxForward, ids.length, ask.positions, 0);
    const predictions = emptyPredictions(rows.length, ask, this.config);
    const visible = new Int32Array(ids.length).fill(own.length + ids.length + ahead);
    const questions = [{ rows, ask, predictions, entry: 0 }];
    const running = this.run({ cache: own, ids, visible, append: keep, clean: false, questions });
    if (running) await running;
    return predictions;
  }

  async advance(ids: Int32Array, block: Int32Array, cache: KvCache, ask: AdvanceAsk): Promise<Advanced> {
    const own = this.own(cache);
    const input = Int32Array.of(...ids, ...block); // (C + B)
    own.requireRoom(input.length);
    const clean = ids.length;
    const rows = blockRows(this.config, this.maxForward, input.length, ask.positions, clean);
    const first = ask.rows === 'all' ? 0 : clean - 1;
    const committed = emptyPredictions(clean - first, ask, this.config);
    const blockAsk = { sampling: ask.blockSampling, targets: ask.blockTargets, alternatives: ask.alternatives };
    const drafted = emptyPredictions(rows.length, blockAsk, this.config);
    const visible = new Int32Array(input.length).fill(own.length + input.length);
    visible.set(this.#cleanVisible(own, clean, own.length + clean));
    const questions = [
      { rows: range(first, clean), ask, predictions: committed, entry: 0 },
      { rows, ask: blockAsk, predictions: drafted, entry: 0 },
    ];
    const running = this.run({ cache: own, ids: input, visible, append: clean, clean: true, questions });
    if (running) await running;
    return { committed, block: drafted };
  }

  /** @param end positions that exist once the whole commit is done */
  #cleanVisible({ length, origin }: Cache, rows: number, end: number): Int32Array {
    return Int32Array.from({ length: rows }, (_, i) => committedVisible(this.config, length + i, end, origin));
  }
}
