/** `POST /v1/fim/completions`, as Mistral and Mercury describe it. */
import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import { DEFAULTS, defaultMaxTokens } from '../../engine/defaults.ts';
import { answer, failures, jsonBody } from '../fields/openapi.ts';
import { answerAtOnce, answerInEvents } from '../generate/answer.ts';
import { loadEngine } from '../generate/load-engine.ts';
import { requireModel } from '../generate/model-name.ts';
import { checkMaxTokens, resolveRequest } from '../generate/resolve.ts';
import { streamSoon } from '../generate/stream-soon.ts';
import type { Host } from '../host.ts';
import { FimBody } from './body.ts';
import { fimRequestSchema, fimSchema } from './schema.ts';

const route = createRoute({
  method: 'post',
  path: '/v1/fim/completions',
  summary: 'Fills the hole between prompt and suffix.',
  description:
    "Mistral's and Mercury's fields. Of Mercury's defaults none is taken over: no stop strings (its blank line would end every hole of several paragraphs), " +
    `no presence penalty, temperature ${DEFAULTS.temperature}, ${DEFAULTS.maxTokens.fim} tokens.`,
  request: jsonBody(fimRequestSchema),
  responses: {
    200: answer(
      "The content of the hole, as Mercury's `text` and as Mistral's `message.content` (`delta.content` in a stream).",
      fimSchema,
      fimSchema,
    ),
    ...failures,
  },
});

export function registerFim(app: OpenAPIHono, host: Host): void {
  app.openapi(route, async (c): Promise<never> => {
    const body = c.req.valid('json');
    const { settings } = host;
    requireModel(host, body.model);
    checkMaxTokens(settings, body.max_tokens, 'max_tokens');
    const engine = await loadEngine(c, host);
    const fields = {
      ...body,
      textKind: 'content' as const,
      seed: body.seed ?? body.random_seed,
      top_k: Math.max(body.top_k ?? DEFAULTS.topK, 0),
      max_tokens: body.max_tokens ?? defaultMaxTokens('fim', settings.maxTokens),
    };
    const request = resolveRequest(fields, engine.model, settings);
    const includeUsage = body.stream_options?.include_usage ?? false;
    const written = new FimBody(host.modelName, request.seed, includeUsage);
    const response = body.stream
      ? await streamSoon(c, (c) =>
          answerInEvents(c, engine, [request], written, { includeUsage, diffusing: body.diffusing ?? false }),
        )
      : await answerAtOnce(c, engine, [request], (results) => written.whole(results));
    return response as never;
  });
}
