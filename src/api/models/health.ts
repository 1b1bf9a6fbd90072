/** `GET /health`: whether the model is loaded, the room in its KV pool, the bytes it holds. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { failures } from '../fields/openapi.ts';
import type { Host } from '../host.ts';
import { holdOpen } from '../middleware/hold-open.ts';

const healthSchema = z
  .object({
    status: z.enum(['ok', 'loading', 'error']),
    model: z.string(),
    reason: z.string().optional().openapi({ description: 'Why the last load failed.' }),
    kv_tokens: z.object({ free: z.int(), total: z.int() }).optional(),
    memory_bytes: z.object({ weights: z.int(), kv_pool: z.int(), scratch: z.int(), total: z.int() }).optional(),
  })
  .openapi('Health');

const content = { 'application/json': { schema: healthSchema } };

const route = createRoute({
  method: 'get',
  path: '/health',
  security: [],
  responses: {
    200: { description: 'Ready.', content },
    503: { description: 'Loading, or the last load failed; asking starts the next try.', content },
    405: failures[405],
  },
});

export function registerHealth(app: OpenAPIHono, host: Host): void {
  app.openapi(route, (c) => {
    c.header('cache-control', 'no-store');
    const state = host.state();
    const model = host.modelName;
    if (state.status !== 'ok') {
      // A probe warms a fresh isolate; the answer does not wait for it.
      holdOpen(c, host.engine());
      return c.json({ ...state, model }, 503);
    }
    const { freeTokens, maxTokens, memory } = state.engine.model;
    return c.json(
      {
        status: state.status,
        model,
        kv_tokens: { free: freeTokens, total: maxTokens },
        memory_bytes: {
          weights: memory.weights,
          kv_pool: memory.kvPool,
          scratch: memory.scratch,
          total: memory.total,
        },
      },
      200,
    );
  });
}
