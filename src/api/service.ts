/**
 * The app as a host serves it. Access, limits, headers and a log come first. The host's own files come after the
 * routes.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';
import { secureHeaders } from 'hono/secure-headers';
import { type AppHost, createApp } from './app.ts';
import { ApiError, errorResponse } from './errors.ts';
import { IGNORED_HEADER } from './fields/ignored.ts';
import type { Host } from './host.ts';
import { type AccessSettings, requireAccess } from './middleware/access.ts';
import type { Patience } from './middleware/call.ts';
import type { Drain } from './middleware/drain.ts';
import { ownPagesOnly } from './middleware/own-pages.ts';
import { limitRate, type RateLimiter } from './middleware/rate-limit.ts';
import { type Files, registerFiles } from './models/files.ts';
import { type Metrics, registerMetrics } from './models/metrics.ts';

export interface ServiceSettings {
  readonly access: AccessSettings & {
    readonly corsOrigins: readonly string[];
    /** Names besides `localhost` under which a server with open access may be asked. */
    readonly allowedHosts: readonly string[];
  };
  readonly patience: Patience;
}

/** What differs from host to host. */
export interface Platform extends AppHost {
  /** Null: no limit. */
  readonly limiter: RateLimiter | null;
  /** Null: numbers of one process would mislead here. */
  readonly metrics: Metrics | null;
  readonly files: Files;
}

/** Half a year. Other hosts below the same name decide for themselves. */
const HSTS = 'max-age=15552000';

/** Builds the service for one host. */
export function createService(host: Host, settings: ServiceSettings, platform: Platform): OpenAPIHono {
  const { access, patience } = settings;
  const { limiter, drain } = platform;
  // The page of another origin reads answers by CORS alone.
  const front = [secureHeaders({ strictTransportSecurity: HSTS })];
  if (access.open) front.push(ownPagesOnly(access));
  if (access.corsOrigins.length > 0) front.push(allowOrigins(access.corsOrigins));
  front.push(turnAwayWhileDraining(host.modelName, drain), requireAccess(access));
  if (limiter !== null) front.push(limitRate(limiter));

  const app = createApp(host, patience, platform, front);
  registerMetrics(app, host, platform.metrics);
  registerFiles(app, host.modelName, platform.files);
  return app;
}

function allowOrigins(origins: readonly string[]): MiddlewareHandler {
  return cors({
    origin: [...origins],
    allowMethods: ['GET', 'POST'],
    // Without a list a preflight is answered with the headers that it asks for: SDKs send many, and the origin decides.
    exposeHeaders: ['x-request-id', 'retry-after', IGNORED_HEADER],
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
