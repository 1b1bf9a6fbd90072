/** The Cloudflare entry. It puts the app together from bindings, precompiled kernels and settings. */
import { env } from 'cloudflare:workers';
import relaxed from '../../../build/kernels-relaxed.wasm';
import simd from '../../../build/kernels-simd.wasm';
// Named imports: the bundle has these two, and not the rest of the file.
import { description, version } from '../../../package.json';
import { createHost } from '../../api/host.ts';
import { Drain } from '../../api/middleware/drain.ts';
import { createService } from '../../api/service.ts';
import { readModelConfig } from '../../model/weight-source.ts';
import { assembleEngine } from '../assemble.ts';
import { capacityLine, loadCapacity } from '../capacity.ts';
import { givenSizes, readSettings, refuseOnnxRuntime } from '../settings.ts';
import { rateLimiterOf, weightSourceOf } from './settings.ts';

// Settings are read outside a request, so that a wrong one fails the deployment and not the first caller.
const settings = readSettings(env);
refuseOnnxRuntime(settings);
const source = weightSourceOf(env, settings.model);
const limiter = rateLimiterOf(env, settings.rate.requests, settings.rate.seconds);

const host = createHost({
  modelName: settings.model,
  settings,
  readConfig: () => readModelConfig(source),
  async load() {
    const sizes = { source, settings, given: givenSizes(env), fill: 'setting', threads: 1 } as const;
    const capacity = await loadCapacity(sizes);
    console.log(capacityLine(capacity, sizes));
    return assembleEngine({
      source,
      kernels: { relaxed, simd },
      memoryBudgetBytes: settings.memoryBudgetBytes,
      kvTokens: capacity.kvTokens,
      activations: settings.activations,
      prefixCache: settings.prefixCache,
      queue: settings.queue,
    });
  },
});

const service = createService(host, settings, {
  address: (c) => c.req.header('cf-connecting-ip') ?? null,
  // A Worker cannot cut a connection. An abandoned answer ends when the client ends it.
  cut() {},
  limiter,
  record: (request) => console.log(JSON.stringify({ level: 'info', ...request })),
  metrics: null,
  files: {
    weights: (file) => source.stream(file),
    async page(c, next) {
      const url = new URL(c.req.path, 'https://assets.local');
      const response = await env.ASSETS.fetch(new Request(url, c.req.raw));
      // The headers of a fetched response cannot be changed, so the page gets a copy.
      if (response.status !== 404) return c.newResponse(response.body, response);
      await response.body?.cancel();
      return next();
    },
  },
  drain: new Drain(),
  about: { version, description },
});

export default { fetch: service.fetch };
