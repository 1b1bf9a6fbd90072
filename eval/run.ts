/** `npm run eval -- <suite>`: quality of a model through the engine that users run. */
import { runSuite } from '../scripts/run-suite.ts';

await runSuite('eval', {
  drafts: () => import('./drafts.ts'),
  heldout: () => import('./heldout.ts'),
  complete: () => import('./complete.ts'),
  repair: () => import('./repair.ts'),
  clean: () => import('./clean.ts'),
  infill: () => import('./infill.ts'),
});
