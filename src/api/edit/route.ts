/** `POST /v1/edit/completions`; and `/v1/apply/completions`, which is always refused. */
import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import { ApiError } from '../errors.ts';
import { errorBodySchema } from '../fields/answers.ts';
import { answer, failures, jsonBody } from '../fields/openapi.ts';
import { loadEngine } from '../generate/load-engine.ts';
import { requireModel } from '../generate/model-name.ts';
import { streamSoon } from '../generate/stream-soon.ts';
import type { Host } from '../host.ts';
import { editAtOnce, editInEvents } from './answer.ts';
import { EditBodies } from './body.ts';
import { editChunkSchema, editRequestSchema, editSchema } from './schema.ts';
import { editTask } from './task.ts';

const editRoute = createRoute({
  method: 'post',
  path: '/v1/edit/completions',
  summary: 'Edits code where the model finds it improbable.',
  description:
    "Mercury's tagged message, or `{code, instruction, region}`. In answer to Mercury's form, `content` is the new code between fences, as its clients cut it out there; to the plain form it is the code itself. Both say what was changed and why under `seedling`.",
  request: jsonBody(editRequestSchema),
  responses: {
    200: answer('The edited code, or with `stream` the same as chunks of a chat.', editSchema, editChunkSchema),
    ...failures,
  },
});

const applyRoute = createRoute({
  method: 'post',
  path: '/v1/apply/completions',
  summary: 'Not served.',
  description:
    'To merge a sketched change into a file, a model has to copy the file and know where the sketch belongs; one of this size does neither. Editors fall back to their own way when this is refused.',
  responses: {
    404: { description: 'Always.', content: { 'application/json': { schema: errorBodySchema } } },
  },
});

export function registerEdit(app: OpenAPIHono, host: Host): void {
  app.openapi(editRoute, async (c): Promise<never> => {
    const body = c.req.valid('json');
    requireModel(host, body.model);
    const engine = await loadEngine(c, host);
    const task = editTask(body, engine);
    const bodies = new EditBodies(host.modelName, task);
    const fields = { includeUsage: body.stream_options?.include_usage ?? false, diffusing: body.diffusing ?? false };
    const response = body.stream
      ? await streamSoon(c, (c) => editInEvents(c, engine, task, bodies, fields))
      : await editAtOnce(c, engine, task, bodies);
    return response as never;
  });

  app.openapi(applyRoute, () => {
    const message =
      'This server does not serve /v1/apply/completions: its model cannot merge a change into a file. Use /v1/edit/completions.';
    throw new ApiError(404, message, 'unsupported_endpoint');
  });
}
