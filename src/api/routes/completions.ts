/** `POST /v1/completions`, streamed and not. */
import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import { CompletionBody } from '../completion-body.ts';
import { completeAtOnce, completeInEvents } from '../completion-response.ts';
import type { Host } from '../host.ts';
import { keepAlive } from '../keep-alive.ts';
import { requireModel } from '../model-name.ts';
import { checkLimits, resolveRequest } from '../resolve-request.ts';
import { completionRequestSchema, completionSchema, errorBodySchema } from '../schemas.ts';
import { streamSoon } from '../stream-soon.ts';

const failure = (description: string) => ({
  description,
  content: { 'application/json': { schema: errorBodySchema } },
});

const route = createRoute({
  method: 'post',
  path: '/v1/completions',
  request: { body: { required: true, content: { 'application/json': { schema: completionRequestSchema } } } },
  responses: {
    200: {
      description: 'The completion, or with `stream` one event per piece of text and `data: [DONE]` at the end.',
      content: { 'application/json': { schema: completionSchema }, 'text/event-stream': { schema: completionSchema } },
    },
    400: failure('The body is malformed, a field is wrong or unsupported, or the context is too long.'),
    404: failure('No such model.'),
    413: failure('The body is too large.'),
    415: failure('The body is not JSON.'),
    429: failure('Too many requests wait already: try again after `retry-after` seconds.'),
    500: failure('The server failed.'),
    503: failure('The model did not load, or no room came free in time: try again after `retry-after` seconds.'),
  },
});

export function registerCompletions(app: OpenAPIHono, host: Host): void {
  app.openapi(route, async (c): Promise<never> => {
    const body = c.req.valid('json');
    requireModel(host, body.model);
    checkLimits(body, host.settings);
    const loading = host.engine();
    keepAlive(c, loading);
    const engine = await loading;
    const request = resolveRequest(body, engine.model, host.settings);
    const answer = new CompletionBody(host.modelName, request.seed);
    const fields = { includeUsage: body.stream_options?.include_usage ?? false, diffusing: body.diffusing ?? false };
    const response = body.stream
      ? await streamSoon(c, (c) => completeInEvents(c, engine, request, answer, fields))
      : await completeAtOnce(c, engine, request, answer);
    // A stream has no typed form; zod-openapi would accept only its typed responses.
    return response as never;
  });
}
