/** `POST /completion` and `POST /infill`, as llama.cpp's server has them. llama.vscode and Tabby call these. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { DEFAULTS, defaultMaxTokens } from '../../engine/defaults.ts';
import { contextLimit, requireMayFit } from '../../engine/generation/prompt-length.ts';
import { textOf } from '../../engine/tokenizer/detokenizer.ts';
import { ApiError } from '../errors.ts';
import { answer, failures, jsonBody } from '../fields/openapi.ts';
import { promptsOf } from '../fields/prompt.ts';
import { answerAtOnce, answerInEvents } from '../generate/answer.ts';
import { templatedHole } from '../generate/fim-prompt.ts';
import { fitInfill } from '../generate/fit-infill.ts';
import { loadEngine } from '../generate/load-engine.ts';
import { requireModel } from '../generate/model-name.ts';
import { checkMaxTokens, type GenerationFields, resolveRequest } from '../generate/resolve.ts';
import { streamSoon } from '../generate/stream-soon.ts';
import type { Engine, Host } from '../host.ts';
import { LlamaBody } from './body.ts';
import {
  type InfillRequest,
  infillRequestSchema,
  type LlamaRequest,
  llamaChunkSchema,
  llamaCompletionRequestSchema,
  llamaCompletionSchema,
} from './schema.ts';

/** Around a hole: the markers, a separator, and a token that two texts may make more of when they are put together. */
const FRAME_TOKENS = 8;

const description =
  "llama.cpp's fields. Those that change nothing here are accepted by name, as its clients send all of them; one that llama.cpp does not document is a 400. A stream has llama.cpp's form: `{content, stop}`, the last with `stop: true`, and no `[DONE]`.";
const body = z.union([llamaCompletionSchema, z.array(llamaCompletionSchema)]);
const chunk = z.union([llamaChunkSchema, llamaCompletionSchema]);

const completionRoute = createRoute({
  method: 'post',
  path: '/completion',
  summary: "llama.cpp's completion.",
  description: `${description} A prompt that holds FIM markers is taken apart and filled as a hole, as in \`/v1/completions\`.`,
  request: jsonBody(llamaCompletionRequestSchema),
  responses: { 200: answer('The completion; an array for several.', body, chunk), ...failures },
});

const infillRoute = createRoute({
  method: 'post',
  path: '/infill',
  summary: "llama.cpp's infill.",
  description: `${description} Code that does not fit the context is cut, the lines nearest to the hole kept.`,
  request: jsonBody(infillRequestSchema),
  responses: { 200: answer('The content of the hole; an array for several.', body, chunk), ...failures },
});

export function registerLlama(app: OpenAPIHono, host: Host): void {
  app.openapi(completionRoute, async (c): Promise<never> => {
    const body = c.req.valid('json');
    requireModel(host, body.model);
    const [prompt = '', ...others] = promptsOf(body.prompt);
    if (others.length > 0) {
      throw new ApiError(400, "Invalid 'prompt': one at a time here.", 'unsupported_parameter', 'prompt');
    }
    const given = body.n_predict ?? body.max_tokens;
    checkMaxTokens(host.settings, given, 'n_predict');
    const engine = await loadEngine(c, host);
    if (typeof prompt === 'string') requireMayFit(prompt, 'prompt', engine);
    const tokens = typeof prompt === 'string' ? engine.tokenizer.encode(prompt, 'prompt').length : prompt.length;
    const hole = templatedHole(prompt, engine.model.config);
    const around = hole ? { prompt: hole.prefix, suffix: hole.suffix, textKind: 'content' as const } : { prompt };
    const fields = { ...body, ...around, max_tokens: maxTokens(host, engine, given, tokens) };
    const shown = typeof prompt === 'string' ? prompt : textOf(prompt, engine.tokenizer);
    return (await run(c, host, engine, body, fields, shown, false)) as never;
  });

  app.openapi(infillRoute, async (c): Promise<never> => {
    const body = c.req.valid('json');
    requireModel(host, body.model);
    checkMaxTokens(host.settings, body.n_predict, 'n_predict');
    const engine = await loadEngine(c, host);
    if (engine.model.config.infill === null) {
      const message = `${host.modelName} was not trained to fill a hole between two texts.`;
      throw new ApiError(400, message, 'unsupported_model', 'input_suffix');
    }
    const limit = contextLimit(engine);
    const max_tokens = maxTokens(host, engine, body.n_predict, Math.floor(limit / 2));
    const around = {
      extra: (body.input_extra ?? []).map(({ filename, text }) => `${filename ? `// ${filename}\n` : ''}${text}\n`),
      // What of the hole is written already stands before what is still to be.
      prefix: body.input_prefix + (body.prompt ?? ''),
      suffix: body.input_suffix,
    };
    const fitted = fitInfill(around, limit - max_tokens - FRAME_TOKENS, engine.tokenizer);
    const { context, prefix, suffix, truncated } = fitted;
    const fields = { ...body, context, prompt: prefix, suffix, max_tokens, textKind: 'content' as const };
    return (await run(c, host, engine, body, fields, context + prefix, truncated)) as never;
  });
}

/** @param promptTokens what -1 leaves room for */
function maxTokens(host: Host, engine: Engine, given: number | null | undefined, promptTokens: number): number {
  const most = host.settings.maxTokens;
  if (given == null) return defaultMaxTokens('llama', most);
  if (given >= 0) return given;
  return Math.max(Math.min(most, contextLimit(engine) - promptTokens), 1);
}

async function run(
  c: Context,
  host: Host,
  engine: Engine,
  body: LlamaRequest | InfillRequest,
  fields: GenerationFields,
  prompt: string,
  truncated: boolean,
): Promise<Response> {
  const resolved = resolveRequest(fields, engine.model, host.settings);
  const request = {
    ...resolved,
    // What warms the cache has to begin as the holes that come after it do.
    suffix: resolved.maxTokens === 0 ? (fields.suffix ?? null) : resolved.suffix,
    timeLimitMs: body.t_max_predict_ms ? body.t_max_predict_ms : null,
  };
  const count = body.n_cmpl ?? ('n' in body ? body.n : null) ?? DEFAULTS.n;
  const requests = Array.from({ length: count }, (_, j) => ({ ...request, seed: request.seed + j }));
  const written = new LlamaBody(host.modelName, prompt, truncated, requests);
  const plain = { includeUsage: false, diffusing: false };
  return body.stream
    ? streamSoon(c, (c) => answerInEvents(c, engine, requests, written, plain, null))
    : answerAtOnce(c, engine, requests, (results) => written.whole(results));
}
