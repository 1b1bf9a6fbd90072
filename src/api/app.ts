/** The HTTP application: the same on every runtime. */
import { OpenAPIHono } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { limitBody } from './body-limit.ts';
import { ApiError, errorResponse } from './errors.ts';
import type { Host } from './host.ts';
import { registerChat } from './routes/chat.ts';
import { registerCompletions } from './routes/completions.ts';
import { registerEdit } from './routes/edit.ts';
import { registerFim } from './routes/fim.ts';
import { registerHealth } from './routes/health.ts';
import { registerLlama } from './routes/llama.ts';
import { registerModels } from './routes/models.ts';
import { registerTokens } from './routes/tokens.ts';
import { nameRuntime } from './runtime-header.ts';
import { toValidationError } from './validation-error.ts';

/**
 * Builds the app for one host.
 * @param front what every request passes first; a host that others can reach has its service there (see service.ts)
 */
export function createApp(host: Host, front: readonly MiddlewareHandler[] = []): OpenAPIHono {
  const app = new OpenAPIHono({
    defaultHook(result, c) {
      // The validator hands the body over beside the error too; the type of this hook leaves it out.
      if (!result.success)
        return errorResponse(c, toValidationError(result.error, (result as { data?: unknown }).data));
    },
  });

  app.onError((error, c) => errorResponse(c, error));
  app.notFound((c) =>
    errorResponse(
      c,
      new ApiError(404, `Unknown request URL: ${c.req.method} ${c.req.path.slice(0, 200)}.`, 'unknown_url'),
    ),
  );
  for (const middleware of front) app.use(middleware);
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed: (c, methods) => {
        const allow = methods.join(', ');
        c.header('allow', allow);
        return errorResponse(
          c,
          new ApiError(405, `Not allowed here: ${c.req.method}. Use ${allow}.`, 'method_not_allowed'),
        );
      },
    }),
  );
  app.use(limitBody(host.settings.bodyLimitBytes));
  app.use(nameRuntime(host));

  registerCompletions(app, host);
  registerFim(app, host);
  registerEdit(app, host);
  registerChat(app, host);
  registerLlama(app, host);
  registerTokens(app, host);
  registerModels(app, host);
  registerHealth(app, host);
  app.doc31('/openapi.json', { openapi: '3.1.0', info: { title: 'Seedling', version: '0.1.0' } });
  return app;
}
