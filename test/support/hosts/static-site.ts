/** Static files before the app, as Workers serve them. */
import { serveStatic } from '@hono/node-server/serve-static';
import { type Env, Hono } from 'hono';

/** The part of an app that is used. */
export interface Fetcher {
  fetch(request: Request, env: unknown): Response | Promise<Response>;
}

/** @param directory whose files answer GET and HEAD; `/` is its index.html. Everything else is the app's. */
export function withAssets(app: Fetcher, directory: string): Hono<Env> {
  const site = new Hono();
  site.get(
    '*',
    serveStatic({
      root: directory,
      // Names stay the same from build to build.
      onFound: (_path, c) => c.header('cache-control', 'no-cache'),
    }),
  );
  site.all('*', (c) => app.fetch(c.req.raw, c.env));
  return site;
}
