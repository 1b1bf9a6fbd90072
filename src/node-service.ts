/** The service on Node: what the process, its sockets and its disk add to the app. */
import type { HttpBindings } from '@hono/node-server';
import { getConnInfo } from '@hono/node-server/conninfo';
import { serveStatic } from '@hono/node-server/serve-static';
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { lastAddress } from './api/client-address.ts';
import type { Drain } from './api/drain.ts';
import type { Host } from './api/host.ts';
import { createService, type ServiceSettings } from './api/service.ts';
import type { WeightSource } from './model/weight-source.ts';
import { NodeMetrics } from './node-metrics.ts';
import { memoryRateLimiter } from './node-rate-limiter.ts';

/** Where `npm run build` puts the page. */
const PAGE_DIRECTORY = 'dist/assets';

export interface NodeServiceSettings extends ServiceSettings {
  readonly rate: { readonly requests: number; readonly seconds: number };
}

/** @param addressHeader see `NodeSettings` */
export function createNodeService(
  host: Host,
  settings: NodeServiceSettings,
  source: WeightSource,
  addressHeader: string | null,
  drain: Drain,
): OpenAPIHono {
  const { requests, seconds } = settings.rate;
  const metrics = new NodeMetrics(drain);
  return createService(host, settings, {
    address: (c) =>
      addressHeader === null ? (getConnInfo(c).remote.address ?? null) : lastAddress(c.req.header(addressHeader)),
    cut: (c: Context<{ Bindings: HttpBindings }>) => c.env.outgoing.destroy(),
    limiter: requests === 0 ? null : memoryRateLimiter(requests, seconds),
    record(request) {
      metrics.record(request);
      console.log(JSON.stringify({ time: new Date().toISOString(), level: 'info', ...request }));
    },
    metrics,
    files: { weights: (file) => source.stream(file), page: serveStatic({ root: PAGE_DIRECTORY }) },
    drain,
  });
}
