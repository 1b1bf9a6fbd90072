/** `GET /metrics`: Prometheus text, on hosts where one process is the whole service. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import { ApiError } from '../errors.ts';
import type { Host } from '../host.ts';

export interface Metrics {
  readonly contentType: string;
  /** The numbers so far. */
  text(host: Host): Promise<string>;
}

const NOT_HERE =
  'This host has no metrics: its isolates come and go, and each would count only its own requests. Its logs have one ' +
  'line per request.';

export function registerMetrics(app: OpenAPIHono, host: Host, metrics: Metrics | null): void {
  app.get('/metrics', async (c) => {
    if (metrics === null) throw new ApiError(404, NOT_HERE, 'metrics_unavailable');
    return c.body(await metrics.text(host), 200, { 'content-type': metrics.contentType, 'cache-control': 'no-store' });
  });
}
