/** The block loop: masks go in, decided ids come out. It is pure except for the model that it is given. */
import { type ModelConfig, predictsNext } from '../model/config.ts';
import type { Predictions } from '../model/model.ts';
import { ApproximateCache, type ApproximateCacheSettings } from './approximate-cache.ts';
import { Canvas } from './canvas.ts';
import type { SamplerEvent, SettledEvent } from './events.ts';
import type { Forwards } from './forwards.ts';
import { joined, lastRow } from './joined-predictions.ts';
import type { Policy } from './policies/index.ts';
import type { Remasking } from './remasking.ts';
import { checkDrafts, type HeldDrafts } from './verification.ts';
import type { Width } from './width.ts';

export interface BlockSettings {
  /** New tokens at most, at least 1. */
  readonly maxTokens: number;
  readonly width: Width;
  readonly policy: Policy;
  /**
   * Decided ids are drafts until the causal predictions of a later forward agree. Needs causal context. Without logit shift a
   * mask in the place of each draft predicts it, and the forwards have to ask so.
   */
  readonly verify: boolean;
  /** Null: decided ids stay. */
  readonly remasking: Remasking | null;
  /** Null: every forward runs all positions that it reads. Anything else needs `full` context. */
  readonly approximateCache: ApproximateCacheSettings | null;
}

/**
 * Decodes after a prefill. One forward commits the ids that are final and predicts the masks after them:
 *
 * - Causal context: the decided prefix of a block is final. It leaves the block at once and is never run again.
 * - Other context, or remasking: a block is committed when it is complete.
 * - Full context: nothing is committed, because the whole canvas is one block. See `ApproximateCache`.
 *
 * The last tokens are never committed: nobody would read their KV.
 * @param first the prefill's prediction (R = 1), used as the first id with `logitShift` or verification; null if nothing was
 *   committed
 * @param lead (T) last tokens of the prompt that were not committed: the first block begins with them
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
  // After a lead, the forward of the lead itself predicts the first id.
  if ((config.logitShift || settings.verify) && first && lead.length === 0) yield* loop.begin(first);
  while (!loop.ended) yield* loop.forward();
}

/** One forward: clean tokens to commit, the window after them, and the positions of the window to predict. */
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
  readonly #logitShift: boolean;
  /** A forward that commits predicts the id after each token. */
  readonly #predictsAfter: boolean;
  /** Rows that it has for each token. */
  readonly #tokenRows: number;
  /** A window leaves out its last mask: nothing that is asked for is predicted there. */
  readonly #dropsLastMask: boolean;
  readonly #canvas: Canvas;
  /** The tokens of a block are committed together. */
  readonly #commitsWholeBlocks: boolean;
  /** A commit is a forward of its own: its prediction is written before the block is denoised. */
  readonly #commitsAlone: boolean;
  readonly #stopRule: ModelConfig['stopRule'];
  readonly #approximateCache: ApproximateCache | null;
  /** Offsets before this one have their KV in the cache. */
  #committedEnd = 0;
  /** Offsets before this one are final. */
  #finalEnd = 0;
  /** Offsets before this one were reported as settled. */
  #settledEnd = 0;
  /** End of the window in the block that is being filled. Before the first block: where that block begins. */
  #blockEnd = 0;
  /** The part of the block that is being decided, from its first mask to its end. */
  #subBlock = { start: 0, end: 0 };
  /** Forwards that have decided something in the sub-block. */
  #step = 0;
  /** Masks of the sub-block before its first step. */
  #initiallyMasked = 0;

  constructor(forwards: Forwards, config: ModelConfig, settings: BlockSettings, lead: Int32Array) {
    const causal = config.contextAttention === 'causal';
    const { byMasks } = forwards;
    if (settings.verify && !(causal && (config.logitShift || byMasks))) {
      throw new Error('verified blocks need causal context and logit shift, or masks that check them');
    }
    this.#forwards = forwards;
    this.#settings = settings;
    this.#logitShift = config.logitShift;
    this.#predictsAfter = config.logitShift || byMasks;
    this.#tokenRows = byMasks ? 2 : 1;
    this.#dropsLastMask = predictsNext(config);
    this.#commitsWholeBlocks = !causal || settings.remasking !== null;
    this.#commitsAlone = config.firstToken === 'from_commit';
    // A verified text is the text of block length 1, which ends at its EOS.
    this.#stopRule = settings.verify ? 'no_mask_before' : config.stopRule;
    const { approximateCache } = settings;
    if (approximateCache && config.contextAttention !== 'full') {
      throw new Error(`nothing has to be approximated under ${config.contextAttention} context`);
    }
    this.#approximateCache = approximateCache && new ApproximateCache(forwards, approximateCache);
    this.#canvas = new Canvas(settings.maxTokens, config, lead);
    this.#committedEnd = -lead.length;
    this.#blockEnd = -lead.length;
  }

  *begin(first: Predictions): Generator<SamplerEvent> {
    this.#canvas.write(0, first, 0);
    this.#finalEnd = 1;
    yield* this.#report(0);
  }

  async *forward(): AsyncGenerator<SamplerEvent, void, void> {
    const { width, verify: verified } = this.#settings;
    if (verified) width.draft(this.#canvas, this.#finalEnd, this.#draftRoom(), this.#forwards.load);
    const plan = this.#plan();
    const block = width.blockOf(Math.max(plan.start, 0));
    const { committed, drafted } = await this.#timed(plan);
    if (!verified || !committed) this.#decide(plan, committed, drafted);
    else if (this.#check(committed, plan)) this.#decide(plan, lastRow(committed), drafted);
    if (committed || drafted) this.#step += 1;
    yield* this.#report(block);
  }

  async #timed(plan: Plan) {
    const start = performance.now();
    const predicted = await this.#run(plan);
    const rows = plan.pending.length + (plan.positions.length > 0 ? plan.window.length : 0);
    if (this.#forwards.load.rows === 0) this.#settings.width.took(rows, performance.now() - start);
    return predicted;
  }

  /** The last id is never committed, so nothing checks a draft in its place before it is there anyway. */
  #draftRoom(): number {
    const final = this.#finalEnd - this.#committedEnd;
    return Math.min(this.#mostTokens - final, this.#canvas.length - 1 - this.#finalEnd);
  }

  /** Clean tokens of a forward at most. */
  get #mostTokens(): number {
    return Math.floor(this.#forwards.maxForward / this.#tokenRows);
  }

  #plan(): Plan {
    const { maxTokens, width, verify: verified } = this.#settings;
    const canvas = this.#canvas;
    const past = this.#commitsWholeBlocks || this.#stopRule !== 'no_mask_before';
    const prefix = past ? canvas.filled(this.#committedEnd) : canvas.prefix(this.#committedEnd);
    const complete = prefix >= this.#blockEnd;
    const together = complete ? this.#blockEnd : this.#committedEnd;
    const most = verified ? this.#committedEnd + this.#mostTokens : maxTokens;
    const commitEnd = this.#commitsWholeBlocks ? together : Math.min(prefix, maxTokens - 1, most);
    const pending = canvas.slice(this.#committedEnd, commitEnd);
    if (complete || verified) {
      this.#blockEnd = Math.min(width.end(prefix, pending.length, this.#forwards.load), maxTokens);
    }
    const open = canvas.filled(commitEnd);
    const partEnd = Math.min(width.partEnd(open), this.#blockEnd);
    if (complete || verified || partEnd !== this.#subBlock.end) {
      this.#subBlock = { start: open, end: partEnd };
      this.#step = 0;
      this.#initiallyMasked = canvas.masked(commitEnd, partEnd, 0).length;
    }
    // What predicts after the last clean token predicts the window's first position.
    const from = commitEnd + (this.#predictsAfter && pending.length > 0 ? 1 : 0);
    let positions = canvas.masked(from, partEnd, commitEnd);
    const window = canvas.slice(commitEnd, this.#windowEnd());
    const rows = this.#tokenRows * pending.length + window.length;
    const separate = this.#commitsAlone || rows > this.#forwards.maxForward;
    if (pending.length > 0 && separate) positions = new Int32Array();
    return { pending, window, positions, start: commitEnd };
  }

  #windowEnd(): number {
    const last = this.#blockEnd - 1;
    return this.#dropsLastMask && this.#canvas.isMask(last) ? last : this.#blockEnd;
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
    return { committed: this.#predictsAfter ? committed : null, drafted: block };
  }

  #denoise(window: Int32Array, positions: Int32Array, start: number): Promise<Predictions> {
    if (!this.#approximateCache) return this.#forwards.denoise(window, positions, start);
    // With a shift the token before a block predicts its first position.
    const from = this.#subBlock.start - (this.#logitShift ? 1 : 0);
    return this.#approximateCache.denoise(window, positions, start, from - start, this.#subBlock.end - start);
  }

  /** Whether the predictions after the committed drafts still stand. */
  #check(causal: Predictions, { pending, start }: Plan): boolean {
    const from = start - pending.length;
    const result: HeldDrafts = checkDrafts(this.#canvas, from, causal);
    const { held, offered } = result;
    this.#forwards.drafts.add(offered, held);
    if (offered.length > 0) this.#settings.width.observe(held, offered.length);
    this.#finalEnd = result.finalEnd;
    this.#committedEnd = Math.min(start, result.finalEnd - (result.intact ? 0 : 1));
    if (this.#committedEnd < start) this.#forwards.forget(start - this.#committedEnd);
    return result.intact;
  }

  /** Writes the ids that the policy chose. @param next prediction of the window's first position (R = 1), always taken */
  #decide({ positions, start }: Plan, next: Predictions | null, drafted: Predictions | null): void {
    const { policy, remasking } = this.#settings;
    this.#committedEnd = start;
    const canvas = this.#canvas;
    // With a shift, no row inside a block predicts its first position.
    const from = Math.max(start + (this.#logitShift ? 1 : 0), this.#subBlock.start);
    const before = remasking && canvas.decided(from, this.#subBlock.end);
    const all = joined(next, drafted);
    const at = next ? Int32Array.of(0, ...positions) : positions; // (R)
    if (next) canvas.write(start, next, 0);
    if (drafted) {
      const rows = policy(all, at, { step: this.#step, initiallyMasked: this.#initiallyMasked, offset: start }); // (D)
      if (rows.length === 0) throw new Error('the policy decided nothing: the block would never finish');
      for (const row of rows) canvas.write(start + at[row]!, all, row);
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
    const prefix = canvas.prefix(this.#settledEnd);
    const complete = prefix >= this.#blockEnd || canvas.isEos(prefix);
    if (!verified) this.#finalEnd = remasking && !complete ? this.#settledEnd : prefix;
    const end = Math.min(prefix, this.#finalEnd);
    const eos = end < maxTokens && canvas.isEos(end) && (!verified || this.#finalEnd > end) && this.#stopsAt(end);
    const reached = eos ? 'eos' : end >= maxTokens ? 'length' : null;
    const settled: SettledEvent = { type: 'settled', block, ...canvas.judged(this.#settledEnd, end), end: reached };
    this.#settledEnd = end;
    this.ended = reached !== null;
    yield settled;
  }
}
