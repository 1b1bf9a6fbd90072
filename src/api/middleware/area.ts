/** Says which part of the service a request is for. Settings make areas public one by one. */
import type { Context } from 'hono';
import { matchedRoutes } from 'hono/route';

/** What may be served without a key, if the setting PUBLIC says so. */
export const PUBLIC_AREAS = ['docs', 'models', 'weights', 'page', 'metrics'] as const;
export type PublicArea = (typeof PUBLIC_AREAS)[number];
/** `health` always is, `api` never. */
export type Area = 'health' | 'api' | PublicArea;

const AREAS: readonly (readonly [RegExp, Area])[] = [
  [/^\/health$/, 'health'],
  [/^\/(openapi\.json$|docs(\/|$))/, 'docs'],
  [/^\/v1\/models(\/[^/]*)?$/, 'models'],
  [/^\/models\//i, 'weights'],
  [/^\/metrics$/, 'metrics'],
];

/** Plain names only: a path that an asset server could read as another one is no page. */
const PAGE_PATH = /^\/(?:[\w-][\w.-]*\/)*(?:[\w-][\w.-]*)?$/;

export function isPagePath(path: string): boolean {
  return PAGE_PATH.test(path) && !/^\/models(\/|$)/i.test(path);
}

/** The area of a request. A path that no route takes is `page` where it could be a file's. */
export function areaOf(c: Context): Area {
  const { method, path } = c.req;
  const reads = method === 'GET' || method === 'HEAD';
  const known = AREAS.find(([pattern]) => pattern.test(path))?.[1];
  if (known !== undefined) return reads ? known : 'api';
  const routed = matchedRoutes(c).some((route) => !route.path.includes('*'));
  return reads && !routed && isPagePath(path) ? 'page' : 'api';
}
