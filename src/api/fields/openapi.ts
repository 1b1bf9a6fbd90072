/** The OpenAPI description: the document itself, and the parts that the routes that generate have in common. */
import type { OpenAPIHono, z } from '@hono/zod-openapi';
import { errorBodySchema } from './answers.ts';

/** A key comes in one of two headers; a server with open access asks for none. */
const SECURITY_SCHEMES = {
  bearer: { type: 'http', scheme: 'bearer', description: '`Authorization: Bearer YOUR_KEY`.' },
  apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key' },
} as const;

/** The server, in the words of its package. */
export interface About {
  readonly version: string;
  readonly description: string;
}

/** Serves the description at `/openapi.json`. */
export function describe(app: OpenAPIHono, { version, description }: About): void {
  for (const [name, scheme] of Object.entries(SECURITY_SCHEMES)) {
    app.openAPIRegistry.registerComponent('securitySchemes', name, scheme);
  }
  app.doc31('/openapi.json', {
    openapi: '3.1.0',
    info: { title: 'Seedling', version, description },
    // One of them is enough; the empty one is for servers with open access and for what is public.
    security: [...Object.keys(SECURITY_SCHEMES).map((name) => ({ [name]: [] })), {}],
  });
}

const failure = (description: string) => ({
  description,
  content: { 'application/json': { schema: errorBodySchema } },
});

/** What every route may answer. */
export const refusals = {
  401: failure('The server has keys, and the request brought none of them.'),
  403: failure('Access is open, and the name of the server or the origin of the page is not allowed.'),
  405: failure('The path takes another method: `allow` names it.'),
};

export const failures = {
  ...refusals,
  400: failure('The body is malformed, a field is wrong or unsupported, or the context is too long.'),
  404: failure('No such model.'),
  408: failure('The body did not arrive in the time that the server allows.'),
  413: failure('The body is too large.'),
  415: failure('The body is not JSON.'),
  429: failure('Too many requests wait already: try again after `retry-after` seconds.'),
  500: failure('The server failed.'),
  503: failure('The model did not load, or no room came free in time: try again after `retry-after` seconds.'),
  504: failure('The request took longer than the server allows; the same request would again.'),
};

export const jsonBody = <T extends z.ZodType>(schema: T) => ({
  body: { required: true, content: { 'application/json': { schema } } },
});

/** A body, or with `stream` messages of the second schema. */
export const answer = <A extends z.ZodType, B extends z.ZodType>(description: string, whole: A, chunk: B) => ({
  description,
  content: { 'application/json': { schema: whole }, 'text/event-stream': { schema: chunk } },
});
