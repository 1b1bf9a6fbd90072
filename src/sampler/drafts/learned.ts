import { AcceptanceTable } from './acceptance.ts';
import { LOOKUP_PRIORS } from './lookup.ts';
import { MaskAcceptance } from './mask.ts';
import { PREDICTION_PRIORS } from './prediction.ts';

/** How often drafts have been holding on one engine. A new request starts with it. */
export class DraftAcceptance {
  readonly prediction = new AcceptanceTable(PREDICTION_PRIORS);
  readonly lookup = new AcceptanceTable(LOOKUP_PRIORS);
  readonly mask = new MaskAcceptance();
}
