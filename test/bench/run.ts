/** `npm run bench -- <suite>`: speed and memory. */
import { runSuite } from '../run-suite.ts';

await runSuite('bench', {
  abuse: () => import('./abuse.ts'),
  decode: () => import('./decode.ts'),
  kernels: () => import('./kernels.ts'),
  policies: () => import('./policies.ts'),
  profile: () => import('./profile.ts'),
  roofline: () => import('./roofline.ts'),
  serve: () => import('./serve.ts'),
});
