/** The Cloudflare entry: bindings, precompiled kernels and settings meet the app here, and nowhere else. */
import { env } from 'cloudflare:workers';
import relaxed from '../build/kernels-relaxed.wasm';
import simd from '../build/kernels-simd.wasm';
import { createApp } from './api/app.ts';
import { createHost } from './api/host.ts';
import { assembleEngine } from './assemble.ts';
import { readSettings, refuseOnnxRuntime } from './settings.ts';
import { assetsSource } from './worker-assets.ts';

// Read outside a request, so that a wrong setting stops the deployment and not its first caller.
const settings = readSettings(env);
refuseOnnxRuntime(settings);

const host = createHost({
  modelName: settings.model,
  settings,
  load: () =>
    assembleEngine({
      source: assetsSource(env.ASSETS, settings.model),
      kernels: { relaxed, simd },
      memoryBudgetBytes: settings.memoryBudgetBytes,
      kvTokens: settings.kvTokens,
      activations: settings.activations,
      prefixCache: settings.prefixCache,
      queue: settings.queue,
    }),
});

export default { fetch: createApp(host).fetch };
