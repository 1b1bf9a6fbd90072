/** What the log and the metrics learn of a request once it is over. They never learn its text. */
import type { Context } from 'hono';
import { matchedRoutes } from 'hono/route';
import type { Call } from './call.ts';

/** Field names are those of the log. */
export interface RequestRecord {
  readonly event: 'request';
  readonly request_id: string;
  readonly method: string;
  /** The route's pattern and not the path, which is the caller's text; null where no route took it. */
  readonly route: string | null;
  readonly status: number;
  /** How it ended, where not as planned. */
  readonly ending: string | null;
  /** The key's name. */
  readonly key: string | null;
  /** Fields of the body that were ignored or cut, as the header `x-seedling-ignored` names them. */
  readonly ignored: string | null;
  readonly prompt_tokens: number;
  readonly cached_tokens: number;
  readonly completion_tokens: number;
  /** Model forwards after the prefill. */
  readonly nfe: number;
  /** Until the last byte was handed over; 0 where the clock stands still during computation. */
  readonly ms: number;
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

export function recordOf(c: Context, call: Call, status: number): RequestRecord {
  const route = matchedRoutes(c).findLast(({ path }) => !path.includes('*'));
  return {
    event: 'request',
    request_id: call.id,
    method: METHODS.includes(c.req.method) ? c.req.method : 'other',
    route: route?.path ?? null,
    status,
    ending: call.ending,
    key: call.client.keyName,
    ignored: call.ignored,
    prompt_tokens: call.promptTokens,
    cached_tokens: call.cachedTokens,
    completion_tokens: call.completionTokens,
    nfe: call.nfe,
    ms: Math.round(call.ms),
  };
}
