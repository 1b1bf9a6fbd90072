/** Lets callers in: those with a key, or everybody if the host says so. Public areas need no key. */
import type { MiddlewareHandler } from 'hono';
import { ApiError, errorResponse } from '../errors.ts';
import { type ApiKey, clientOf, sentKey } from './api-keys.ts';
import { areaOf, type PublicArea } from './area.ts';
import type { Client } from './call.ts';

export interface AccessSettings {
  readonly open: boolean;
  readonly keys: readonly ApiKey[];
  readonly public: readonly PublicArea[];
}

const NO_KEYS =
  'This server has no API keys yet, so it lets nobody in. Make a key with `npm run key`, then set its hash as API_KEYS: ' +
  '`npx wrangler secret put API_KEYS` on Workers, an environment variable on Node.';
const NO_KEY = 'You did not send an API key. Send it as `Authorization: Bearer YOUR_KEY` or `x-api-key: YOUR_KEY`.';
const WRONG_KEY = 'Incorrect API key provided.';

/** Sets the call's client. Everything that is refused is a 401 in OpenAI's form. */
export function requireAccess({ open, keys, public: areas }: AccessSettings): MiddlewareHandler {
  return async function access(c, next) {
    const call = c.get('call');
    if (open) {
      call.client = everybody(call.address, c.req.header('origin'));
      return next();
    }
    const area = areaOf(c);
    const isPublic = area === 'health' || (area !== 'api' && areas.includes(area));
    const sent = sentKey((name) => c.req.header(name));
    const client = sent === null ? null : await clientOf(sent, keys);
    if (client !== null) call.client = client;
    if (client !== null || isPublic) return next();
    c.header('www-authenticate', 'Bearer realm="seedling"');
    const given = c.req.header('authorization') !== undefined || c.req.header('x-api-key') !== undefined;
    const message = keys.length === 0 ? NO_KEYS : given ? WRONG_KEY : NO_KEY;
    return errorResponse(c, new ApiError(401, message, 'invalid_api_key'));
  };
}

/**
 * Where everybody is let in, addresses stand in for keys: neighbours do not share a cache either. A page does not share
 * that of the editor beside it, or it could ask what was typed there.
 */
function everybody(address: string, origin: string | undefined): Client {
  const shareKey = `address ${address}`;
  return { keyName: null, cacheKey: origin === undefined ? shareKey : `${shareKey} page ${origin}`, shareKey };
}
