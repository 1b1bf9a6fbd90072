/** The one route of everything that generates: a body in, its requests through the engine, an answer out. */
import { createRoute, type OpenAPIHono, type z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { EngineRequest } from '../../engine/job.ts';
import { ApiError } from '../errors.ts';
import { nameIgnored, unknownFieldsOf } from '../fields/ignored.ts';
import { answer, failures, jsonBody } from '../fields/openapi.ts';
import type { Host, ServedEngine } from '../host.ts';
import { type Asked, answerAtOnce, answerInEvents } from './answer.ts';
import { loadEngine } from './load-engine.ts';
import { requireModel } from './model-name.ts';

/** The fields of a body that the route itself reads. */
interface CommonFields {
  readonly model?: string | undefined;
  readonly stream?: boolean | null | undefined;
  readonly stream_options?: { readonly include_usage?: boolean | undefined } | null | undefined;
  readonly diffusing?: boolean | null | undefined;
}

/** A field with a limit, by the name that a client gave it. */
export type Limited = readonly [param: string, value: number | null | undefined];

/** One way to ask for text. */
export interface Endpoint<Body extends CommonFields> {
  readonly path: string;
  readonly summary: string;
  readonly description?: string;
  readonly request: z.ZodObject & z.ZodType<Body>;
  /** What a 200 is. */
  readonly answer: string;
  readonly whole: z.ZodType;
  readonly chunk: z.ZodType;
  /** New tokens that the body asks for. */
  maxTokens?(body: Body): readonly Limited[];
  /** Tokens in the place of another that the body asks for. */
  alternatives?(body: Body): Limited;
  /** @throws ApiError or RequestError for what only the loaded model can tell */
  ask(body: Body, engine: ServedEngine, host: Host): Asked;
}

/** Serves an endpoint. */
export function registerEndpoint<Body extends CommonFields>(
  app: OpenAPIHono,
  host: Host,
  endpoint: Endpoint<Body>,
): void {
  const { path, summary, description, request, whole, chunk } = endpoint;
  const route = createRoute({
    method: 'post',
    path,
    summary,
    ...(description !== undefined && { description }),
    request: jsonBody(request),
    responses: { 200: answer(endpoint.answer, whole, chunk), ...failures },
  });
  // A stream has no typed form; zod-openapi would accept only its typed responses.
  app.openapi(route, async (c) => (await generate(c, host, endpoint)) as never);
}

/** What is left of a body once it has been read. */
interface Prepared {
  readonly engine: ServedEngine;
  readonly asked: Asked;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly diffusing: boolean;
}

async function generate<Body extends CommonFields>(
  c: Context,
  host: Host,
  endpoint: Endpoint<Body>,
): Promise<Response> {
  const { engine, asked, stream, includeUsage, diffusing } = await prepare(c, host, endpoint);
  releaseBody(c);
  if (!stream) return answerAtOnce(c, engine, asked);
  return answerInEvents(c, engine, asked, includeUsage, diffusing);
}

/** A request may wait for long, and many do. They keep what they asked for, and not the body in which they did. */
function releaseBody(c: Context): void {
  c.req.bodyCache = {};
  c.req.addValidatedData('json', {});
}

/** @throws ApiError or RequestError for a body that cannot be served */
async function prepare<Body extends CommonFields>(c: Context, host: Host, endpoint: Endpoint<Body>): Promise<Prepared> {
  const body = c.req.valid('json' as never) as Body;
  requireModel(host, body.model);
  // Before the load, so that a bad request never waits for one.
  const unknown = await unknownFieldsOf(c, endpoint.request, host.settings.unknownFields);
  nameIgnored(c, unknown);
  const engine = await loadEngine(c, host);
  const [param, count] = endpoint.alternatives?.(body) ?? ['', null];
  checkAlternatives(engine, count, param);
  const asked = endpoint.ask(body, engine, host);
  const cut = cutTokens(asked.requests, endpoint.maxTokens?.(body) ?? []);
  if (cut.length > 0) nameIgnored(c, unknown, cut);
  return {
    engine,
    asked,
    stream: body.stream ?? false,
    includeUsage: body.stream_options?.include_usage ?? false,
    diffusing: body.diffusing ?? false,
  };
}

/** The limits that are lower than what was sent, as `name=value`; of several requests that of the shortest. */
function cutTokens(requests: readonly EngineRequest[], sent: readonly Limited[]): string[] {
  const least = Math.min(...requests.map((request) => ('maxTokens' in request ? request.maxTokens : Infinity)));
  return sent.flatMap(([param, tokens]) => (tokens != null && tokens > least ? [`${param}=${least}`] : []));
}

/** @throws ApiError for more alternatives than the model can name */
function checkAlternatives({ model }: ServedEngine, count: number | null | undefined, param: string): void {
  const { maxAlternatives: most = 0 } = model;
  if (count == null || count <= most) return;
  const message = `Invalid '${param}': this model names at most ${most} tokens in the place of another.`;
  throw new ApiError(400, message, 'unsupported_parameter', param);
}
