/** The block loop: masks go in, decided ids come out. It is pure except for the model that it is given. */
import { type ModelConfig, predictsNext } from '../model/config.ts';
import type { Predictions } from '../model/model.ts';
import { ApproximateCache, type ApproximateCacheSettings } from './approximate-cache.ts';
import { Canvas } from './canvas.ts';
import type { SamplerEvent, SettledEvent } from './events.ts';
import type { Forwards } from './forwards.ts';
import type { Policy } from './policies/index.ts';
import type { Remasking } from './remasking.ts';
import { type Verified, verify } from './verification.ts';
import type { Width } from './width.ts';

export interface BlockSettings {
  /** New tokens at most, at least 1. */
  readonly maxTokens: number;
  readonly width: Width;
  readonly policy: Policy;
  /**
   * Decided ids are drafts until the causal predictions of a later forward agree. Needs causal context and logit shift.
   */
  readonly verify: boolean;
  /** Null: what is decided stays. */
  readonly remasking: Remasking | null;
  /** Null: every forward runs all that it reads. Otherwise `full` context. */
  readonly approximateCache: ApproximateCacheSettings | null;
}

/**
 * Decodes after a prefill. What is decided and final is committed by the same forward that predicts the masks after it:
 *
 * - causal context: the decided prefix of a block is final as it is, so it leaves the block at once and is never run again;
 * - otherwise, and with remasking: a block is committed when it is complete;
 * - full context: nothing is, as the whole canvas is one block; see `ApproximateCache`.
 *
 * The last tokens are never committed: their KV would serve nobody.
 * @param first the prefill's prediction (R = 1), used with `logitShift` as the first id; null if nothing is committed
 * @param lead (T) the prompt's last tokens, which were not committed: the first block begins with them
 * @throws the signal's reason on abort, whatever the model throws, and Error if a model predicts a mask
 */
export async function* sampleBlocks(
  forwards: Forwards,
  config: ModelConfig,
  settings: BlockSettings,
  first: Predictions | null,
  lead: Int32Array = new Int32Array(),
): AsyncGenerator<SamplerEvent, void, void> {
  const loop = new BlockLoop(forwards, config, settings, lead);
  // Behind a lead it is the lead's own forward that predicts the first id.
  if (config.logitShift && first && lead.length === 0) yield* loop.begin(first);
  while (!loop.ended) yield* loop.forward();
}

/** One forward: the clean tokens it commits, the window after them, and which of the window it predicts. */
interface Plan {
  readonly pending: Int32Array; // (C)
  readonly window: Int32Array; // (W)
  /** Relative to the window. */
  readonly positions: Int32Array; // (R)
  /** Completion offset of the window's first position. */
  readonly start: number;
}

class BlockLoop {
  ended = false;
  readonly #forwards: Forwards;
  readonly #settings: BlockSettings;
  readonly #shift: boolean;
  readonly #trim: boolean;
  readonly #canvas: Canvas;
  /** A block's tokens are committed together. */
  readonly #whole: boolean;
  /** A commit is a forward of its own: what it predicts is in the block before that is denoised. */
  readonly #apart: boolean;
  readonly #stopRule: ModelConfig['stopRule'];
  readonly #reuse: ApproximateCache | null;
  /** Offsets whose KV is in the cache. */
  #committed = 0;
  /** Offsets that are final. */
  #sure = 0;
  /** Offsets that were reported as settled. */
  #told = 0;
  /** The window's end in the block that is being filled; before the first, where that begins. */
  #blockEnd = 0;
  /** The part of the block that is being decided: from its first mask to its end. */
  #part = { start: 0, end: 0 };
  #step = 0;
  #initiallyMasked = 0;

  constructor(forwards: Forwards, config: ModelConfig, settings: BlockSettings, lead: Int32Array) {
    const causal = config.contextAttention === 'causal';
    if (settings.verify && !predictsNext(config)) {
      throw new Error('verified blocks need causal context and logit shift');
    }
    this.#forwards = forwards;
    this.#settings = settings;
    this.#shift = config.logitShift;
    this.#trim = predictsNext(config);
    this.#whole = !causal || settings.remasking !== null;
    this.#apart = config.firstToken === 'from_commit';
    // A verified text is that of block length 1, which ends at its EOS.
    this.#stopRule = settings.verify ? 'no_mask_before' : config.stopRule;
    const { approximateCache } = settings;
    if (approximateCache && config.contextAttention !== 'full') {
      throw new Error(`nothing has to be approximated under ${config.contextAttention} context`);
    }
    this.#reuse = approximateCache && new ApproximateCache(forwards, approximateCache);
    this.#canvas = new Canvas(settings.maxTokens, config, lead);
    this.#committed = -lead.length;
    this.#blockEnd = -lead.length;
  }

  *begin(first: Predictions): Generator<SamplerEvent> {
    this.#canvas.write(0, first, 0);
    this.#sure = 1;
    yield* this.#report(0);
  }

  async *forward(): AsyncGenerator<SamplerEvent, void, void> {
    const { width, verify: verified } = this.#settings;
    const plan = this.#plan();
    const block = width.blockOf(Math.max(plan.start, 0));
    const { committed, drafted } = await this.#run(plan);
    if (!verified || !committed) this.#decide(plan, committed, drafted);
    else if (this.#check(committed, plan)) this.#decide(plan, lastRow(committed), drafted);
    if (committed || drafted) this.#step += 1;
    yield* this.#report(block);
  }

  #plan(): Plan {
    const { maxTokens, width, verify: verified } = this.#settings;
    const canvas = this.#canvas;
    const past = this.#whole || this.#stopRule !== 'no_mask_before';
    const prefix = past ? canvas.filled(this.#committed) : canvas.prefix(this.#committed);
    const complete = prefix >= this.#blockEnd;
    const together = complete ? this.#blockEnd : this.#committed;
    const commitEnd = this.#whole ? together : Math.min(prefix, maxTokens - 1);
    const pending = canvas.slice(this.#committed, commitEnd);
    if (complete || verified) {
      this.#blockEnd = Math.min(width.end(prefix, pending.length), maxTokens);
    }
    const open = canvas.filled(commitEnd);
    const partEnd = Math.min(width.partEnd(open), this.#blockEnd);
    if (complete || verified || partEnd !== this.#part.end) {
      this.#part = { start: open, end: partEnd };
      this.#step = 0;
      this.#initiallyMasked = canvas.masked(commitEnd, partEnd, 0).length;
    }
    // With a shift the last clean token predicts the window's first position.
    const from = commitEnd + (this.#shift && pending.length > 0 ? 1 : 0);
    let positions = canvas.masked(from, partEnd, commitEnd);
    const window = canvas.slice(commitEnd, this.#windowEnd());
    const separate = this.#apart || pending.length + window.length > this.#forwards.maxForward;
    if (pending.length > 0 && separate) positions = new Int32Array();
    return { pending, window, positions, start: commitEnd };
  }

  /** With a shift, the row of a window's last mask would predict nothing that is asked for. */
  #windowEnd(): number {
    const last = this.#blockEnd - 1;
    return this.#trim && this.#canvas.isMask(last) ? last : this.#blockEnd;
  }

  async #run({ pending, window, positions, start }: Plan) {
    const rows = this.#settings.verify ? 'all' : 'last';
    if (pending.length === 0) {
      return { committed: null, drafted: await this.#denoise(window, positions, start) };
    }
    const { committed, block } =
      positions.length === 0
        ? { committed: await this.#forwards.commit(pending, start, rows), block: null }
        : await this.#forwards.advance(pending, window, positions, start, rows);
    return { committed: this.#shift ? committed : null, drafted: block };
  }

  #denoise(window: Int32Array, positions: Int32Array, start: number): Promise<Predictions> {
    if (!this.#reuse) return this.#forwards.denoise(window, positions, start);
    // With a shift the token before a block predicts its first position.
    const from = this.#part.start - (this.#shift ? 1 : 0);
    return this.#reuse.denoise(window, positions, start, from - start, this.#part.end - start);
  }

  /** Whether what was predicted after the committed drafts still stands. */
  #check(causal: Predictions, { pending, start }: Plan): boolean {
    const from = start - pending.length;
    const result: Verified = verify(this.#canvas, from, causal);
    if (result.offered > 0) this.#settings.width.observe(result.held, result.offered);
    this.#sure = result.sure;
    this.#committed = Math.min(start, result.sure - (result.intact ? 0 : 1));
    if (this.#committed < start) this.#forwards.forget(start - this.#committed);
    return result.intact;
  }

  /** Writes what the policy chose. @param next prediction of the window's first position (R = 1), always taken */
  #decide({ positions, start }: Plan, next: Predictions | null, drafted: Predictions | null): void {
    const { policy, remasking } = this.#settings;
    this.#committed = start;
    const canvas = this.#canvas;
    // With a shift, nothing inside a block predicts its first position.
    const from = Math.max(start + (this.#shift ? 1 : 0), this.#part.start);
    const before = remasking && canvas.decided(from, this.#part.end);
    const all = joined(next, drafted);
    const at = next ? Int32Array.of(0, ...positions) : positions; // (R)
    if (next) canvas.write(start, next, 0);
    if (drafted) {
      const rows = policy(all, at, { step: this.#step, initiallyMasked: this.#initiallyMasked, offset: start }); // (D)
      if (rows.length === 0) throw new Error('the policy decided nothing: the block would never finish');
      for (const row of rows) canvas.write(start + (at[row] ?? 0), all, row);
    }
    if (before) for (const offset of remasking.choose(canvas, before, this.#step)) canvas.remask(offset);
  }

  /** Whether an EOS at this offset, with no mask before it, ends the text now. */
  #stopsAt(eos: number): boolean {
    if (this.#stopRule === 'no_mask_before') return true;
    return this.#canvas.filled(eos) >= (this.#stopRule === 'after_block' ? this.#blockEnd : this.#canvas.length);
  }

  *#report(block: number): Generator<SamplerEvent> {
    const canvas = this.#canvas;
    const { maxTokens, verify: verified, remasking } = this.#settings;
    const step = canvas.takeStep(block);
    this.#forwards.note(step);
    if (step.positions.length > 0 || step.remasked.length > 0) yield step;
    const prefix = canvas.prefix(this.#told);
    const complete = prefix >= this.#blockEnd || canvas.isEos(prefix);
    if (!verified) this.#sure = remasking && !complete ? this.#told : prefix;
    const end = Math.min(prefix, this.#sure);
    const eos = end < maxTokens && canvas.isEos(end) && (!verified || this.#sure > end) && this.#stopsAt(end);
    const reached = eos ? 'eos' : end >= maxTokens ? 'length' : null;
    const settled: SettledEvent = { type: 'settled', block, ...canvas.judged(this.#told, end), end: reached };
    this.#told = end;
    this.ended = reached !== null;
    yield settled;
  }
}

function lastRow(predictions: Predictions): Predictions {
  const { ids, probs, entropies, topIds, topProbs } = predictions;
  const count = (topIds?.length ?? 0) / ids.length;
  return {
    ids: ids.slice(-1),
    probs: probs.slice(-1),
    entropies: entropies.slice(-1),
    ...(topIds && topProbs && { topIds: topIds.slice(-count), topProbs: topProbs.slice(-count) }),
  };
}

/** Rows of both, in order. */
function joined(next: Predictions | null, drafted: Predictions | null): Predictions {
  if (!next || !drafted) return next ?? drafted ?? { ids: new Int32Array(), probs: EMPTY, entropies: EMPTY };
  return {
    ids: Int32Array.of(...next.ids, ...drafted.ids),
    probs: Float32Array.of(...next.probs, ...drafted.probs),
    entropies: Float32Array.of(...next.entropies, ...drafted.entropies),
    ...(next.topIds &&
      drafted.topIds && {
        topIds: Int32Array.of(...next.topIds, ...drafted.topIds),
        topProbs: Float32Array.of(...(next.topProbs ?? EMPTY), ...(drafted.topProbs ?? EMPTY)),
      }),
  };
}

const EMPTY = new Float32Array();
