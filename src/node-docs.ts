/** The reference page on Node; on Workers it is a static asset. */
import { fileURLToPath } from 'node:url';
import { serveStatic } from '@hono/node-server/serve-static';
import type { OpenAPIHono } from '@hono/zod-openapi';

/** Where `npm run build` has put it. */
const ASSETS = fileURLToPath(new URL('../dist/assets', import.meta.url));

export function serveDocs(app: OpenAPIHono): void {
  app.get('/docs', (c) => c.redirect('/docs/', 307));
  app.get('/docs/*', serveStatic({ root: ASSETS }));
}
