/** The service on Node: the app with the process's sockets, log, metrics and files. */
import { fileURLToPath } from 'node:url';
import type { HttpBindings } from '@hono/node-server';
import { getConnInfo } from '@hono/node-server/conninfo';
import { serveStatic } from '@hono/node-server/serve-static';
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import packageJson from '../../../../package.json' with { type: 'json' };
import type { Host } from '../../../api/host.ts';
import { lastAddress } from '../../../api/middleware/client-address.ts';
import type { Drain } from '../../../api/middleware/drain.ts';
import { createService, type ServiceSettings } from '../../../api/service.ts';
import type { WeightSource } from '../../../model/weight-source.ts';
import { NodeMetrics } from './metrics.ts';
import { memoryRateLimiter } from './rate-limiter.ts';

/** `npm run build` puts the page here. */
const ASSETS = fileURLToPath(new URL('../../../../dist/assets', import.meta.url));

/** File names do not change from build to build, so a browser has to ask whether a file has changed. */
function unversioned(_path: string, c: Context): void {
  c.header('cache-control', 'no-cache');
}

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
    files: { weights: (file) => source.stream(file), page: serveStatic({ root: ASSETS, onFound: unversioned }) },
    drain,
    about: packageJson,
  });
}
