/** The HTTP application: the same on every runtime. */
import { OpenAPIHono } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { chat } from './chat/route.ts';
import { completions } from './completions/route.ts';
import { edits, registerApply } from './edit/route.ts';
import { ApiError, errorResponse } from './errors.ts';
import { type About, describe } from './fields/openapi.ts';
import { toValidationError } from './fields/validation-error.ts';
import { fim } from './fim/route.ts';
import { clientGone } from './generate/event-stream.ts';
import { registerEndpoint } from './generate/route.ts';
import type { Host } from './host.ts';
import { llamaCompletion, llamaInfill } from './llama/route.ts';
import { registerTokens } from './llama/tokens.ts';
import type { Patience } from './middleware/call.ts';
import { type CallHost, openCall } from './middleware/open-call.ts';
import { readBody } from './middleware/read-body.ts';
import { BrokenBody } from './middleware/receive-body.ts';
import { nameRuntime } from './middleware/runtime-header.ts';
import { registerHealth } from './models/health.ts';
import { registerModels } from './models/models.ts';

/** What a host adds to the app. */
export interface AppHost extends CallHost {
  /** Of the server, as `package.json` has it. */
  readonly about: About;
}

/**
 * Builds the app for one host.
 * @param front every request passes these first; a host that others can reach has access and limits there (see service.ts)
 */
export function createApp(
  host: Host,
  patience: Patience,
  { about, ...callHost }: AppHost,
  front: readonly MiddlewareHandler[] = [],
): OpenAPIHono {
  const app = new OpenAPIHono({
    defaultHook(result, c) {
      // The validator hands the body over beside the error too; the type of this hook leaves it out.
      if (!result.success)
        return errorResponse(c, toValidationError(result.error, (result as { data?: unknown }).data));
    },
  });

  app.onError((error, c) => {
    // A body breaks off with its client: nobody reads an answer, and nothing has failed here.
    const gone = error instanceof BrokenBody || c.req.raw.signal.aborted;
    if (!gone) return errorResponse(c, error);
    c.get('call').end('client_gone');
    return clientGone();
  });
  app.notFound((c) =>
    errorResponse(
      c,
      new ApiError(404, `Unknown request URL: ${c.req.method} ${c.req.path.slice(0, 200)}.`, 'unknown_url'),
    ),
  );
  for (const middleware of [...openCall(patience, callHost), ...front]) app.use(middleware);
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
  app.use(readBody(host.settings.bodyLimitBytes));
  app.use(nameRuntime(host));

  registerEndpoint(app, host, completions);
  registerEndpoint(app, host, fim);
  registerEndpoint(app, host, edits);
  registerApply(app);
  registerEndpoint(app, host, chat);
  registerEndpoint(app, host, llamaCompletion);
  registerEndpoint(app, host, llamaInfill);
  registerTokens(app, host);
  registerModels(app, host);
  registerHealth(app, host);
  describe(app, about);
  return app;
}
