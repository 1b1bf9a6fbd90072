/** `GET /models/{model}/{file}`: the served model's files. And those of the page and the API reference, where the host has them. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { ModelLoadError } from '../../model/errors.ts';
import { areaOf } from '../area.ts';
import { ApiError } from '../errors.ts';

export interface Files {
  /** A file of the served model. @throws ModelLoadError when it is missing */
  weights(file: string): Promise<ReadableStream<Uint8Array>>;
  /** Answers with a file of the page or the API reference, or calls `next` when there is none; null: the host has neither. */
  readonly page: MiddlewareHandler | null;
}

/** The layout of a model's directory: see models/README.md. */
const MODEL_FILE = /^(?:config\.json|tokenizer\.json|manifest\.json|[A-Za-z0-9][\w.-]*\.bin)$/;

export function registerFiles(app: OpenAPIHono, modelName: string, { weights, page }: Files): void {
  app.get('/models/:model/:file', async (c) => {
    const { model, file } = c.req.param();
    if (model !== modelName || !MODEL_FILE.test(file)) return c.notFound();
    const bytes = await weights(file).catch((error: unknown) => {
      throw error instanceof ModelLoadError ? new ApiError(404, error.message, 'not_found') : error;
    });
    const type = file.endsWith('.json') ? 'application/json' : 'application/octet-stream';
    return c.body(bytes, 200, { 'content-type': type, 'cache-control': 'private, max-age=3600' });
  });
  if (page === null) return;
  // Its files are named relative to the folder.
  app.get('/docs', (c) => c.redirect('/docs/', 307));
  // As middleware: a route for every path would turn each 404 into a 405.
  app.use(async function pageFile(c, next) {
    const area = areaOf(c);
    return area === 'page' || area === 'docs' ? page(c, next) : next();
  });
}
