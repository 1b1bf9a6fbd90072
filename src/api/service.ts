/** The app as it is served: behind access, limits, headers and a log, with the files that a host has besides. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context, MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';
import { requestId } from 'hono/request-id';
import { secureHeaders } from 'hono/secure-headers';
import { createApp } from './app.ts';
import { ApiError, errorResponse } from './errors.ts';
import type { Host } from './host.ts';
import { type AccessSettings, requireAccess } from './middleware/access.ts';
import { Call, type Patience } from './middleware/call.ts';
import { addressGroup } from './middleware/client-address.ts';
import type { Drain } from './middleware/drain.ts';
import { keepAlive } from './middleware/hold-open.ts';
import { limitRate, type RateLimiter } from './middleware/rate-limit.ts';
import { type RequestRecord, recordOf } from './middleware/record.ts';
import { type Files, registerFiles } from './models/files.ts';
import { type Metrics, registerMetrics } from './models/metrics.ts';

export interface ServiceSettings {
  readonly access: AccessSettings & { readonly corsOrigins: readonly string[] };
  readonly patience: Patience;
}

/** What differs from host to host. */
export interface Platform {
  /** The caller's address; null where the host does not know. */
  address(c: Context): string | null;
  /** Cuts the connection of a reader that takes nothing; does nothing where a host cannot. */
  cut(c: Context): void;
  /** Null: no limit. */
  readonly limiter: RateLimiter | null;
  /** Called once a request is over. */
  record(record: RequestRecord): void;
  /** Null: numbers of one process would mislead here. */
  readonly metrics: Metrics | null;
  readonly files: Files;
  readonly drain: Drain;
}

const LONGEST_REQUEST_ID = 128;

/** Builds the service for one host. */
export function createService(host: Host, settings: ServiceSettings, platform: Platform): OpenAPIHono {
  const { access, patience } = settings;
  const { limiter, drain } = platform;
  const front: MiddlewareHandler[] = [
    requestId({ limitLength: LONGEST_REQUEST_ID }),
    attend(patience, platform),
    // The page of another origin reads answers by CORS alone.
    secureHeaders(),
  ];
  if (access.corsOrigins.length > 0) front.push(allowOrigins(access.corsOrigins));
  front.push(turnAwayWhileDraining(host.modelName, drain), requireAccess(access));
  if (limiter !== null) front.push(limitRate(limiter));

  const app = createApp(host, front);
  registerMetrics(app, host, platform.metrics);
  registerFiles(app, host.modelName, platform.files);
  return app;
}

/** Opens the call, and records it when its last byte is out. */
function attend(patience: Patience, { address, cut, record, drain }: Platform): MiddlewareHandler {
  return async function attend(c, next) {
    const id = c.get('requestId');
    const call = new Call(id, addressGroup(address(c) ?? 'unknown'), patience, () => cut(c));
    c.set('call', call);
    drain.enter();
    const end = () => {
      drain.leave();
      record(recordOf(c, call, status));
    };
    let status = 500;
    try {
      await next();
      status = c.res.status;
    } finally {
      // An answer that was built without the context has none of its headers.
      c.header('x-request-id', id);
      const over = call.over();
      if (over === null) end();
      else keepAlive(c, over.then(end));
    }
  };
}

function allowOrigins(origins: readonly string[]): MiddlewareHandler {
  return cors({
    origin: [...origins],
    allowMethods: ['GET', 'POST'],
    allowHeaders: ['Authorization', 'x-api-key', 'Content-Type', 'x-request-id'],
    exposeHeaders: ['x-request-id', 'retry-after'],
    maxAge: 600,
  });
}

function turnAwayWhileDraining(model: string, drain: Drain): MiddlewareHandler {
  return async function draining(c, next) {
    if (!drain.draining) return next();
    c.header('connection', 'close');
    if (c.req.path === '/health') return c.json({ status: 'draining', model }, 503, { 'cache-control': 'no-store' });
    const error = new ApiError(503, 'This server is stopping; another one will answer.', 'draining', null, 1);
    return errorResponse(c, error);
  };
}
