/**
 * `GET /models/{model}/{file}`: weights, for pages that run a model themselves. It also serves the playground and the
 * API reference, where the host has them.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context, MiddlewareHandler } from 'hono';
import { ModelLoadError } from '../../model/errors.ts';
import { ApiError } from '../errors.ts';
import { areaOf, isPagePath } from '../middleware/area.ts';
import { findShard, firstByte, type Shard, skipBytes } from './weight-range.ts';

export interface Files {
  /** A file of the served model. @throws ModelLoadError when it is missing */
  weights(file: string): Promise<ReadableStream<Uint8Array>>;
  /** Answers with a file of the page or of `/docs/`, or calls `next` when there is none; null: the host has no page. */
  readonly page: MiddlewareHandler | null;
}

/** A page that came with these may share memory among its workers; all that it fetches is from its own origin. */
export function isolatePage(c: Context): void {
  c.header('cross-origin-opener-policy', 'same-origin');
  c.header('cross-origin-embedder-policy', 'require-corp');
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
    const open = (name: string) =>
      weights(name).catch((error: unknown) => {
        throw error instanceof ModelLoadError ? new ApiError(404, error.message, 'not_found') : error;
      });
    const cached = { 'cache-control': 'private, max-age=3600' };
    // A directory without a manifest is no model: its files come whole or not at all.
    const manifest = file.endsWith('.json') ? null : await weights('manifest.json').catch(() => null);
    const shard = findShard(await new Response(manifest).text(), file);
    if (shard !== null && c.req.method === 'HEAD') {
      // Of a shard the manifest says all that the headers have.
      return c.body(null, 200, { ...cached, ...BYTES, ...rangesOf(shard), 'content-length': String(shard.bytes) });
    }
    // Opened last: nothing fails between here and the answer, so the file is closed with the answer.
    const opened = await open(file);
    const bytes = c.req.method === 'HEAD' ? await closed(opened) : opened;
    if (file.endsWith('.json')) return c.body(bytes, 200, { ...cached, 'content-type': 'application/json' });
    const headers = { ...cached, ...BYTES };
    if (shard === null) return c.body(bytes, 200, headers);
    const first = firstByte(c.req.header('range'), c.req.header('if-range'), shard);
    const named = { ...headers, ...rangesOf(shard) };
    if (first === 0) return c.body(bytes, 200, named);
    if (first >= shard.bytes) {
      await bytes.cancel();
      return c.body(null, 416, { ...named, 'content-range': `bytes */${shard.bytes}` });
    }
    const range = `bytes ${first}-${shard.bytes - 1}/${shard.bytes}`;
    return c.body(skipBytes(bytes, first), 206, { ...named, 'content-range': range });
  });
  if (page === null) return;
  // Links of the reference are relative.
  app.get('/docs', (c) => c.redirect('/docs/', 307));
  // As middleware: a route for every path would turn each 404 into a 405.
  app.use(async function pageFile(c, next) {
    if (!isPagePath(c.req.path)) return next();
    const area = areaOf(c);
    if (area !== 'page' && area !== 'docs') return next();
    if (area === 'page') isolatePage(c);
    return page(c, next);
  });
}

const BYTES = { 'content-type': 'application/octet-stream' };

const rangesOf = (shard: Shard) => ({ etag: shard.etag, 'accept-ranges': 'bytes' });

/** For HEAD: Hono sends the headers alone and drops the body unread, which would leave the file open. */
async function closed(stream: ReadableStream<Uint8Array>): Promise<ReadableStream<Uint8Array>> {
  await stream.cancel();
  return new ReadableStream();
}
