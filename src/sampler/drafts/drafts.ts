/** Chooses drafts for one text, forward by forward: from where, how many, and how many masks after them. */
import type { Canvas } from '../canvas.ts';
import type { Load } from '../scheduling/lane.ts';
import { type Width, wholeWindow } from '../width.ts';
import type { Drafter } from './drafter.ts';
import type { MaskDrafts } from './mask.ts';
import type { MeasuredCosts } from './measured-costs.ts';
import { type RowsOf, shifted } from './rows.ts';
import { type Worth, worthChecking } from './worth.ts';

/** Drafts of one forward at most. */
const MOST_DRAFTS = 31;
/** A proposal that does not pay is checked all the same each so many times, if drafts that hold this often would pay. */
const PROBE_EVERY = 64;
const HOPEFUL = 0.95;

/** A drafter, and how often in a row its proposals did not pay. */
interface Source {
  readonly drafter: Drafter;
  refused: number;
}

/** Drafts for the next forward. */
interface Choice {
  /** Null: the masks' drafts that stand on the canvas already, as many as are worth their rows. */
  readonly source: Source | null;
  readonly ids: Int32Array; // (D)
  readonly worth: Worth;
}

const NO_IDS = new Int32Array();

/**
 * A window that is chosen for each forward: the drafts whose check makes the most tokens for the cost of the batch, of one
 * source, then masks where they pay. A draft that was looked up costs the rows of its check. A mask costs a row when it is
 * predicted, and those when its draft is checked.
 */
export class Drafts implements Width {
  readonly blockLength: number;
  readonly partEnd: Width['partEnd'];
  readonly blockOf: Width['blockOf'];
  readonly #costs: MeasuredCosts;
  readonly #rowsOf: RowsOf;
  readonly #sources: readonly Source[];
  readonly #masks: MaskDrafts | null;
  /** Offsets before this one were shown to the drafters. */
  #shown = 0;
  #checked: { readonly source: Source | null; readonly count: number } = { source: null, count: 0 };
  /** No draft of the last forward was wrong, so its masks gave drafts. */
  #intact = true;
  #window = 1;

  /**
   * @param masks null: no mask is predicted for a draft
   * @param longest windows of masks at most: steps number their blocks in these
   */
  constructor(
    costs: MeasuredCosts,
    drafters: readonly Drafter[],
    masks: MaskDrafts | null,
    longest: number,
    rowsOf: RowsOf = shifted,
  ) {
    this.#costs = costs;
    this.#rowsOf = rowsOf;
    this.#sources = drafters.map((drafter) => ({ drafter, refused: 0 }));
    this.#masks = masks;
    const { blockLength, partEnd, blockOf } = wholeWindow(longest);
    this.blockLength = blockLength;
    this.partEnd = partEnd;
    this.blockOf = blockOf;
  }

  draft(canvas: Canvas, final: number, room: number, load: Load): void {
    const settled = canvas.slice(this.#shown, final);
    this.#shown = final;
    for (const { drafter } of this.#sources) drafter.push(settled);
    const most = Math.min(room, MOST_DRAFTS);
    const rates = this.#masks?.rates(canvas, final, most) ?? [];
    const { source, ids, worth } = this.#choose(canvas, rates, most, load);
    this.#checked = { source, count: worth.count };
    if (source) {
      canvas.clear(final);
      canvas.propose(final, ids.subarray(0, worth.count), source.drafter.source);
      source.refused = 0;
    } else if (worth.count < rates.length) {
      canvas.clear(final + worth.count);
    }
    this.#masks?.settle(this.#intact, canvas, final, source ? 0 : worth.count);
    this.#intact = true;
    this.#window = this.#masks?.window(load, worth, Math.max(room - worth.count, 0) + 1) ?? 1;
  }

  end(from: number): number {
    return from + this.#window;
  }

  took(rows: number, ms: number): void {
    this.#costs.observe(rows, ms);
  }

  observe(held: number, offered: number): void {
    this.#intact = held === offered;
    const { source, count } = this.#checked;
    if (source) source.drafter.observe(Math.min(held, count), Math.min(offered, count));
    else this.#masks?.observe(held, Math.min(offered, count));
  }

  /** The drafts that are worth the most; a count of 0 where none is. @param rates of the masks' drafts (D) */
  #choose(canvas: Canvas, rates: readonly number[], most: number, load: Load): Choice {
    let best: Choice = { source: null, ids: NO_IDS, worth: worthChecking(this.#costs, load, rates, this.#rowsOf) };
    if (most < 1) return best;
    for (const source of this.#sources) {
      const draft = source.drafter.propose(most);
      const count = draft ? canvas.plain(draft.ids) : 0;
      if (!draft || count === 0) continue;
      const worth = this.#worthOf(source, draft.rates.slice(0, count), load);
      if (worth.count > 0 && worth.ratio > best.worth.ratio) best = { source, ids: draft.ids, worth };
    }
    return best;
  }

  #worthOf(source: Source, rates: readonly number[], load: Load): Worth {
    const worth = worthChecking(this.#costs, load, rates, this.#rowsOf);
    if (worth.count > 0) return worth;
    source.refused += 1;
    if (source.refused < PROBE_EVERY) return worth;
    // Only so can a rate that has fallen rise again.
    const hopeful = worthChecking(this.#costs, load, [HOPEFUL], this.#rowsOf);
    return hopeful.count > 0 ? { ...hopeful, allHold: rates[0]! } : worth;
  }
}
