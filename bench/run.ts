/** `npm run bench -- <suite>`: speed and memory. */
import { runSuite } from '../scripts/run-suite.ts';

await runSuite('bench', {
  abuse: () => import('./abuse.ts'),
  'approximate-cache': () => import('./approximate-cache.ts'),
  decode: () => import('./decode.ts'),
  kernels: () => import('./kernels.ts'),
  large: () => import('./large.ts'),
  policies: () => import('./policies.ts'),
  profile: () => import('./profile.ts'),
  roofline: () => import('./roofline.ts'),
  runtimes: () => import('./runtimes.ts'),
  serve: () => import('./serve.ts'),
  threads: () => import('./threads.ts'),
});
