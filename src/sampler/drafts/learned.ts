import type { CostCurve } from '../../model/cost-curve.ts';
import { AcceptanceTable } from './acceptance.ts';
import { LOOKUP_PRIORS } from './lookup.ts';
import { MaskAcceptance } from './mask.ts';
import { MeasuredCosts } from './measured-costs.ts';
import { PREDICTION_PRIORS } from './prediction.ts';

/** What one engine has learned of drafts: how often they hold, and what their rows cost. A new request starts with it. */
export class DraftAcceptance {
  readonly prediction = new AcceptanceTable(PREDICTION_PRIORS);
  readonly lookup = new AcceptanceTable(LOOKUP_PRIORS);
  readonly mask = new MaskAcceptance();
  #costs: MeasuredCosts | null = null;

  /** @param loaded of the engine's model */
  costs(loaded: CostCurve): MeasuredCosts {
    this.#costs ??= new MeasuredCosts(loaded);
    return this.#costs;
  }
}
