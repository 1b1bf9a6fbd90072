/** `POST /v1/edit/completions`; and `/v1/apply/completions`, which is always refused. */
import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import { ApiError } from '../errors.ts';
import { errorBodySchema } from '../fields/answers.ts';
import type { Endpoint } from '../generate/route.ts';
import { EditBody } from './body.ts';
import { frameEdit } from './frame.ts';
import { type EditFields, editChunkSchema, editRequestSchema, editSchema } from './schema.ts';

export const edits: Endpoint<EditFields> = {
  path: '/v1/edit/completions',
  summary: 'Edits code where the model finds it improbable.',
  description:
    "Mercury's tagged message, or `{code, instruction, region}`. In answer to Mercury's form, `content` is the new code between fences, as its clients cut it out there; to the plain form it is the code itself. Both say what was changed and why under `seedling`.",
  request: editRequestSchema,
  answer: 'The edited code, or with `stream` the same as chunks of a chat.',
  whole: editSchema,
  chunk: editChunkSchema,
  ask(body, engine, { modelName }) {
    const framed = frameEdit(body, engine);
    return { requests: [framed.request], writer: new EditBody(modelName, framed) };
  },
};

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

export function registerApply(app: OpenAPIHono): void {
  app.openapi(applyRoute, () => {
    const message =
      'This server does not serve /v1/apply/completions: its model cannot merge a change into a file. Use /v1/edit/completions.';
    throw new ApiError(404, message, 'unsupported_endpoint');
  });
}
