/**
 * Keeps the pages of strangers away from a server that asks for no key. A browser on the same machine is let in by its
 * address, so any page in it could use the server, read what it serves, and learn what an editor has asked.
 */
import type { MiddlewareHandler } from 'hono';
import ipaddr from 'ipaddr.js';
import { ApiError, errorResponse } from '../errors.ts';

interface OwnPagesSettings {
  /** Names besides `localhost` under which the server may be asked, in lower case. */
  readonly allowedHosts: readonly string[];
  /** Origins of other sites whose pages may ask. */
  readonly corsOrigins: readonly string[];
}

/** Panels of VS Code have random origins below this scheme, and only an installed extension can open one. */
const EDITOR_PANEL = /^vscode-webview:\/\//;
const SAME_SITE = ['same-origin', 'none'];
const LONGEST_SHOWN = 64;

/**
 * Refuses with 403:
 * - a `Host` that is a name of somebody else. A page can point its own name at this machine (DNS rebinding).
 * - an `Origin` that is neither the server's own nor listed. Editors and SDKs send none.
 * - what a page of another site loads without an `Origin`, such as an image. Links to the page still work.
 */
export function ownPagesOnly({ allowedHosts, corsOrigins }: OwnPagesSettings): MiddlewareHandler {
  const isOwnName = (name: string) =>
    name === 'localhost' || ipaddr.isValid(name.replace(/^\[|\]$/g, '')) || allowedHosts.includes(name);

  return async function ownPages(c, next) {
    const url = new URL(c.req.url);
    const host = c.req.header('host') ?? url.host;
    for (const name of [hostName(host), hostName(url.host)]) {
      if (name === null || !isOwnName(name)) return errorResponse(c, strangeHost(host));
    }
    const origin = c.req.header('origin');
    if (origin !== undefined) {
      const known = corsOrigins.includes(origin) || EDITOR_PANEL.test(origin) || isOriginAt(origin, host);
      return known ? next() : errorResponse(c, strangeOrigin(origin));
    }
    const site = c.req.header('sec-fetch-site');
    const follows = c.req.method === 'GET' && c.req.header('sec-fetch-dest') === 'document';
    if (site === undefined || SAME_SITE.includes(site) || follows) return next();
    return errorResponse(c, strangeOrigin(null));
  };
}

/** The name in a `Host` header, without its port and in lower case; null for what is none. */
function hostName(host: string): string | null {
  const url = URL.parse(`http://${host}`);
  return url !== null && /^[^/?#@\\]+$/.test(host) ? url.hostname : null;
}

/** The scheme may differ: a proxy can speak TLS for the server. */
function isOriginAt(origin: string, host: string): boolean {
  const [, scheme] = /^(https?):\/\//.exec(origin) ?? [];
  return scheme !== undefined && URL.parse(`${scheme}://${host}`)?.origin === origin;
}

function strangeHost(host: string): ApiError {
  const message =
    `This server needs no key, so it does not answer to the host ${shown(host)}: ask localhost or an address, ` +
    'set ALLOWED_HOSTS to names that are yours, or set API_KEYS.';
  return new ApiError(403, message, 'host_not_allowed');
}

function strangeOrigin(origin: string | null): ApiError {
  const whose = origin === null ? 'of another site' : `of ${shown(origin)}`;
  const message =
    `This server needs no key, so it does not answer pages ${whose}: ` +
    'set CORS_ORIGINS to the origins of pages that may ask, or set API_KEYS.';
  return new ApiError(403, message, 'origin_not_allowed');
}

function shown(value: string): string {
  return JSON.stringify(value.length > LONGEST_SHOWN ? `${value.slice(0, LONGEST_SHOWN)}...` : value);
}
