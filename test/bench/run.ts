/** `npm run bench -- <suite>`: speed and memory. */
import { runSuite } from '../run-suite.ts';

await runSuite('bench', {
  decode: () => import('./decode.ts'),
  kernels: () => import('./kernels.ts'),
  policies: () => import('./policies.ts'),
  profile: () => import('./profile.ts'),
  roofline: () => import('./roofline.ts'),
  runtimes: () => import('./runtimes.ts'),
  serve: () => import('./serve.ts'),
});
