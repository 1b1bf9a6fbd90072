/** `npm run bench -- <suite>`: speed and memory. */
import { runSuite } from '../run-suite.ts';

await runSuite('bench', { decode: () => import('./decode.ts') });
