/** `GET /models/{model}/{file}`: weights, for pages that run a model themselves. And those of the page and of the API reference, where the host has one. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { ModelLoadError } from '../../model/errors.ts';
import { areaOf, isPagePath } from '../area.ts';
import { ApiError } from '../errors.ts';

export interface Files {
  /** A file of the served model. @throws ModelLoadError when it is missing */
  weights(file: string): Promise<ReadableStream<Uint8Array>>;
  /** Answers with a file of the page or of `/docs/`, or calls `next` when there is none; null: the host has no page. */
  readonly page: MiddlewareHandler | null;
}

/** The layout of a model's directory: see models/README.md. */
const MODEL_NAME = /^[A-Za-z0-9][\w.-]*$/;
const MODEL_FILE = /^(?:config\.json|tokenizer\.json|manifest\.json|[A-Za-z0-9][\w.-]*\.bin)$/;

export function registerFiles(app: OpenAPIHono, modelName: string, { weights, page }: Files): void {
  app.get('/models/:model/:file', async (c, next) => {
    const { model, file } = c.req.param();
    if (!MODEL_NAME.test(model) || !MODEL_FILE.test(file)) return c.notFound();
    // The page may run any model that lies beside it.
    if (model !== modelName) return page === null ? c.notFound() : page(c, next);
    const bytes = await weights(file).catch((error: unknown) => {
      throw error instanceof ModelLoadError ? new ApiError(404, error.message, 'not_found') : error;
    });
    const type = file.endsWith('.json') ? 'application/json' : 'application/octet-stream';
    return c.body(bytes, 200, { 'content-type': type, 'cache-control': 'private, max-age=3600' });
  });
  if (page === null) return;
  // Links of the reference are relative.
  app.get('/docs', (c) => c.redirect('/docs/', 307));
  // As middleware: a route for every path would turn each 404 into a 405.
  app.use(async function pageFile(c, next) {
    return isPagePath(c.req.path) && ['page', 'docs'].includes(areaOf(c)) ? page(c, next) : next();
  });
}
