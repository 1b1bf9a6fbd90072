/** `GET /v1/models` and `GET /v1/models/{model}`. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { failures, refusals } from '../fields/openapi.ts';
import { requireModel } from '../generate/model-name.ts';
import type { Host } from '../host.ts';

const modelSchema = z
  .object({ id: z.string(), object: z.literal('model'), created: z.int(), owned_by: z.string() })
  .openapi('Model');

const listRoute = createRoute({
  method: 'get',
  path: '/v1/models',
  responses: {
    200: {
      description: 'The one model of this host.',
      content: {
        'application/json': { schema: z.object({ object: z.literal('list'), data: z.array(modelSchema) }) },
      },
    },
    ...refusals,
  },
});

const oneRoute = createRoute({
  method: 'get',
  path: '/v1/models/{model}',
  request: { params: z.object({ model: z.string() }) },
  responses: {
    200: { description: 'The model.', content: { 'application/json': { schema: modelSchema } } },
    404: failures[404],
    ...refusals,
  },
});

export function registerModels(app: OpenAPIHono, host: Host): void {
  // No file says when the model was made; clients only need an integer.
  const model = { id: host.modelName, object: 'model' as const, created: 0, owned_by: 'seedling' };
  app.openapi(listRoute, (c) => c.json({ object: 'list' as const, data: [model] }, 200));
  app.openapi(oneRoute, (c) => {
    requireModel(host, c.req.valid('param').model);
    return c.json(model, 200);
  });
}
