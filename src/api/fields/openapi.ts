/** What the routes that generate have in common in the OpenAPI description. */
import type { z } from '@hono/zod-openapi';
import { errorBodySchema } from './answers.ts';

const failure = (description: string) => ({
  description,
  content: { 'application/json': { schema: errorBodySchema } },
});

export const failures = {
  400: failure('The body is malformed, a field is wrong or unsupported, or the context is too long.'),
  404: failure('No such model.'),
  413: failure('The body is too large.'),
  415: failure('The body is not JSON.'),
  429: failure('Too many requests wait already: try again after `retry-after` seconds.'),
  500: failure('The server failed.'),
  503: failure('The model did not load, or no room came free in time: try again after `retry-after` seconds.'),
};

export const jsonBody = <T extends z.ZodType>(schema: T) => ({
  body: { required: true, content: { 'application/json': { schema } } },
});

/** A body, or with `stream` messages of the second schema. */
export const answer = <A extends z.ZodType, B extends z.ZodType>(description: string, whole: A, chunk: B) => ({
  description,
  content: { 'application/json': { schema: whole }, 'text/event-stream': { schema: chunk } },
});
