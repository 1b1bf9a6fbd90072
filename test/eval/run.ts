/** `npm run eval -- <suite>`: quality of a model through the engine that users run. */
import { runSuite } from '../run-suite.ts';

await runSuite('eval', { drafts: () => import('./drafts.ts') });
