/** Commits, denoises and advances as batches of one sequence. A runtime says how it runs a forward, and nothing else. */
import type { ModelConfig } from '../config.ts';
import { OutOfMemoryError } from '../errors.ts';
import type {
  AdvanceAsk,
  Advanced,
  CommitAsk,
  DenoiseAsk,
  DiffusionModel,
  KvCache,
  Predictions,
  RowAsk,
  SequenceForward,
} from '../model.ts';
import { piecesOf } from './pieces.ts';
import { emptyPredictions, joinRows } from './predictions.ts';
import { blockRows, range, staleTokens } from './rows.ts';
import { committedVisible } from './visibility.ts';

/** A cache that forwards can be planned for. */
export interface SequenceCache extends KvCache {
  /** @throws RangeError when `tokens` more do not fit, Error after `free` and in a suspension */
  requireRoom(tokens: number): void;
}

/** Rows of a forward, the ask about them, and the place of the answers. */
export interface Question {
  readonly rows: Int32Array; // (R), ascending
  readonly ask: RowAsk;
  readonly predictions: Predictions; // (R)
}

/** One sequence of a forward. Row i stands at position `cache.length + i`, except for `masks`. */
export interface Forward<Cache extends SequenceCache> {
  readonly cache: Cache;
  readonly ids: Int32Array; // (T)
  /** How many positions, counted from 0, each row attends to. */
  readonly visible: Int32Array; // (T)
  /**
   * The last M rows are masks, each in the place of a token: at position `cache.length + place`. It attends to the positions
   * before that one, and to itself. No other row sees it.
   */
  readonly masks: Int32Array; // (M) places
  /** Leading rows whose KV the cache takes as its next tokens. The KV of the other rows is overwritten later. */
  readonly append: number;
  /** The rows to append are clean tokens: their KV is what a prefill would write. Otherwise masks took part in it. */
  readonly clean: boolean;
  readonly questions: readonly Question[];
}

const NO_IDS = new Int32Array();

export abstract class PlannedModel<Cache extends SequenceCache>
  implements Pick<DiffusionModel, 'config' | 'maxForward' | 'batchRows' | 'forward' | 'commit' | 'denoise' | 'advance'>
{
  abstract readonly config: ModelConfig;
  abstract readonly maxForward: number;
  abstract readonly batchRows: number;

  /** @throws TypeError for a cache that another model made */
  protected abstract own(cache: KvCache): Cache;

  /**
   * Runs one forward, appends to its caches and answers its questions. A runtime that computes synchronously returns
   * nothing: the caller then goes on without a turn of the event loop, so nobody sees a commit half done.
   * @param batch one sequence, or several of at most `batchRows` rows
   */
  protected abstract run(batch: readonly Forward<Cache>[]): Promise<void> | undefined;

  forward(batch: readonly SequenceForward[]): readonly Advanced[] | Promise<readonly Advanced[]> {
    const planned = batch.map((sequence) => this.#plan(sequence));
    this.#requireBatch(planned.map(({ forward }) => forward));
    const answers = planned.map(({ answer }) => answer);
    const running = this.run(planned.map(({ forward }) => forward));
    return running ? running.then(() => answers) : answers;
  }

  async commit(ids: Int32Array, cache: KvCache, ask: CommitAsk): Promise<Predictions> {
    const own = this.own(cache);
    own.requireRoom(ids.length);
    const whole = { cache: own, clean: ids, block: NO_IDS, ask: { ...ask, positions: NO_IDS } };
    const rows: Predictions[] = [];
    for (const piece of piecesOf(this.config, whole)) {
      const running = this.forward([piece]);
      const [answer] = running instanceof Promise ? await running : running;
      rows.push(answer!.committed);
    }
    return joinRows(rows);
  }

  async denoise(ids: Int32Array, cache: KvCache, ask: DenoiseAsk): Promise<Predictions> {
    const { sampling, targets, ...rest } = ask;
    const blockAsk = { rows: 'none', ...rest, blockSampling: sampling, blockTargets: targets } as const;
    const running = this.forward([{ cache, clean: NO_IDS, block: ids, ask: blockAsk }]);
    const [answer] = running instanceof Promise ? await running : running;
    return answer!.block;
  }

  async advance(ids: Int32Array, block: Int32Array, cache: KvCache, ask: AdvanceAsk): Promise<Advanced> {
    const running = this.forward([{ cache, clean: ids, block, ask }]);
    const [answer] = running instanceof Promise ? await running : running;
    return answer!;
  }

  #plan({ cache, clean, block, ask }: SequenceForward): {
    readonly forward: Forward<Cache>;
    readonly answer: Advanced;
  } {
    const own = this.own(cache);
    const isBlock = clean.length === 0;
    const { keep, ahead } = staleTokens(this.config, isBlock ? block.length : 0, ask);
    const first = { none: clean.length, last: Math.max(clean.length - 1, 0), all: 0 }[ask.rows];
    const masks = ask.byMasks ? range(first + 1, clean.length + 1) : NO_IDS; // (M)
    if (masks.length > 0 && own.context !== 'causal')
      throw new RangeError(`masks after tokens, under ${own.context} context`);
    const placed = clean.length + block.length;
    const positions = Math.max(placed + ahead, masks.length > 0 ? clean.length + 1 : 0);
    own.requireRoom(positions);
    if (!own.reserve(positions)) throw new OutOfMemoryError('no page of the KV pool is free', true);
    const ids = joined([clean, block, masks.map(() => this.config.maskTokenId)]); // (T)
    const visible = new Int32Array(ids.length).fill(own.length + placed + ahead);
    const semantics = { contextAttention: own.context, blockLength: this.config.blockLength };
    // A clean token sees the clean ones alone.
    for (let i = 0; i < clean.length; i++) {
      visible[i] = committedVisible(semantics, own.length + i, own.length + clean.length, own.origin);
    }
    for (const [i, place] of masks.entries()) visible[placed + i] = own.length + place + 1;
    const committed = emptyPredictions(clean.length - first, ask, this.config);
    const most = block.length + masks.length === 0 ? ids.length : this.maxForward;
    const rows = blockRows(this.config, most, ids.length, ask.positions, clean.length);
    const blockAsk = { sampling: ask.blockSampling, targets: ask.blockTargets, alternatives: ask.alternatives };
    const drafted = emptyPredictions(rows.length, blockAsk, this.config);
    const questions = [
      { rows: masks.length > 0 ? range(placed, ids.length) : range(first, clean.length), ask, predictions: committed },
      { rows, ask: blockAsk, predictions: drafted },
    ];
    // Rows go up: the block's stand before the masks'.
    if (masks.length > 0) questions.reverse();
    const append = isBlock ? keep : clean.length;
    return {
      forward: { cache: own, ids, visible, masks, append, clean: !isBlock, questions },
      answer: { committed, block: drafted },
    };
  }

  #requireBatch(batch: readonly Forward<Cache>[]): void {
    if (batch.length === 1) return;
    const rows = batch.reduce((sum, { ids }) => sum + ids.length, 0);
    if (rows > this.batchRows) throw new RangeError(`a batch of ${rows} exceeds ${this.batchRows} positions`);
    if (new Set(batch.map(({ cache }) => cache)).size < batch.length) throw new RangeError('a cache twice in a batch');
  }
}

/** A copy only where there are several. */
function joined(parts: readonly Int32Array[]): Int32Array {
  const filled = parts.filter((part) => part.length > 0);
  return filled.length === 1 ? filled[0]! : Int32Array.from(filled.flatMap((part) => Array.from(part)));
}
