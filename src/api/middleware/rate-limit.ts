/** Limits the requests of a key, or of an address where there are no keys. */
import type { MiddlewareHandler } from 'hono';
import { ApiError, errorResponse } from '../errors.ts';
import { areaOf } from './area.ts';

export interface RateLimiter {
  /** @returns null when the request may pass, else the seconds until the next one may */
  take(key: string): Promise<number | null>;
}

/** Comes after access: what is refused there does not count. */
export function limitRate(limiter: RateLimiter): MiddlewareHandler {
  return async function rate(c, next) {
    const call = c.get('call');
    if (areaOf(c) !== 'api') return next();
    const { keyName } = call.client;
    const seconds = await limiter.take(keyName === null ? `address:${call.address}` : `key:${keyName}`);
    if (seconds === null) return next();
    const message = `Too many requests from ${keyName === null ? 'this address' : 'this key'}; try again later.`;
    return errorResponse(c, new ApiError(429, message, 'rate_limit_exceeded', null, seconds));
  };
}
