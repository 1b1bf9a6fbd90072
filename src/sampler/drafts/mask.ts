/** The model's own drafts: masks after the text, predicted by the forward that checks the drafts before them. */
import type { CostCurve } from '../../model/cost-curve.ts';
import type { Canvas } from '../canvas.ts';
import type { Load } from '../scheduling/lane.ts';
import { adaptive, type Width } from '../width.ts';
import { Acceptance, AcceptanceTable } from './acceptance.ts';
import { type RowsOf, shifted } from './rows.ts';
import { type Worth, worthPredicting } from './worth.ts';

/** Share of masks' drafts that a new engine expects to hold. */
const MASKS_HOLD = 0.5;
const TENTHS = 10;
/** A model's probabilities are about right. */
const PROBABILITY_PRIORS = Array.from({ length: TENTHS }, (_, tenth) => (tenth + 0.5) / TENTHS);

/** How often masks of all requests gave drafts that held. */
export class MaskAcceptance {
  /** A mask's draft is used and holds, given those before it: after text that is final, and after drafts. */
  readonly afterText: Acceptance;
  readonly afterDrafts: Acceptance;
  /** A decided draft holds, by tenths of its probability. */
  readonly byProbability: AcceptanceTable;

  constructor(engine?: MaskAcceptance) {
    this.afterText = new Acceptance(engine?.afterText ?? MASKS_HOLD);
    this.afterDrafts = new Acceptance(engine?.afterDrafts ?? MASKS_HOLD);
    this.byProbability = new AcceptanceTable(engine?.byProbability ?? PROBABILITY_PRIORS);
  }
}

/** Masks of one forward, and the rate that they count in. */
interface Asked {
  readonly masks: number;
  readonly rate: Acceptance;
}

export class MaskDrafts {
  readonly #costs: CostCurve;
  readonly #acceptance: MaskAcceptance;
  readonly #longest: number;
  readonly #rowsOf: RowsOf;
  readonly #width: Width;
  /** Masks of the last forward. */
  #asked: Asked | null = null;
  /** Those whose drafts are checked now. */
  #used: Asked | null = null;
  /** Rows of the table of probabilities for the drafts that are checked. */
  #checked: readonly number[] = [];

  /** @param longest window at most, positions */
  constructor(costs: CostCurve, engine: MaskAcceptance, longest: number, rowsOf: RowsOf = shifted) {
    this.#costs = costs;
    this.#acceptance = new MaskAcceptance(engine);
    this.#longest = longest;
    this.#rowsOf = rowsOf;
    this.#width = adaptive(costs, this.#acceptance.afterText, longest, rowsOf);
  }

  /** Probabilities that the drafts from an offset on hold, as far as there are any. */
  rates(canvas: Canvas, from: number, most: number): number[] {
    const drafted = Math.min(canvas.prefix(from) - from, most);
    return Array.from({ length: drafted }, (_, i) => this.#acceptance.byProbability.rate(tenth(canvas, from + i)));
  }

  /**
   * Says what becomes of the last forward's masks.
   * @param intact they gave drafts: no draft before them was wrong
   * @param from first offset of their drafts
   * @param count drafts of theirs that are checked now
   */
  settle(intact: boolean, canvas: Canvas, from: number, count: number): void {
    this.#checked = Array.from({ length: count }, (_, i) => tenth(canvas, from + i));
    this.#used = intact ? this.#asked : null;
    if (this.#used && count === 0) this.#judge(0);
  }

  /** Of their drafts `offered` were checked, and `held` agreed. */
  observe(held: number, offered: number): void {
    for (let i = 0; i < offered; i++) this.#acceptance.byProbability.observe(this.#checked[i]!, i < held);
    this.#judge(held);
  }

  #judge(held: number): void {
    if (!this.#used) return;
    const { masks, rate } = this.#used;
    rate.observe(Math.min(held, masks), Math.min(held + 1, masks));
    this.#used = null;
  }

  /** Positions of the next window, 1 for no mask. @param checked drafts in the same forward @param most positions */
  window(load: Load, checked: Worth, most: number): number {
    const longest = Math.min(this.#longest, most);
    const after = checked.count > 0;
    const rate = after ? this.#acceptance.afterDrafts : this.#acceptance.afterText;
    const masks = after
      ? worthPredicting(this.#costs, load, checked, rate.rate, longest - 1, this.#rowsOf)
      : Math.min(this.#width.end(0, 1, load), longest) - 1;
    this.#asked = masks > 0 ? { masks, rate } : null;
    return masks + 1;
  }
}

function tenth(canvas: Canvas, offset: number): number {
  return Math.floor(canvas.prob(offset) * TENTHS);
}
