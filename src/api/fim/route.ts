/** `POST /v1/fim/completions`, as Mistral and Mercury describe it. */
import { DEFAULTS, defaultMaxTokens } from '../../engine/defaults.ts';
import { resolveRequest } from '../generate/resolve.ts';
import type { Endpoint } from '../generate/route.ts';
import { FimBody } from './body.ts';
import { type FimRequest, fimRequestSchema, fimSchema } from './schema.ts';

export const fim: Endpoint<FimRequest> = {
  path: '/v1/fim/completions',
  summary: 'Fills the hole between prompt and suffix.',
  description:
    "Mistral's and Mercury's fields. Of Mercury's defaults none is taken over: no stop strings (its blank line would end every hole of several paragraphs), " +
    `no presence penalty, temperature ${DEFAULTS.temperature}, ${DEFAULTS.maxTokens.fim} tokens.`,
  request: fimRequestSchema,
  answer:
    "The content of the hole, as Mercury's `text` and as Mistral's `message.content` (`delta.content` in a stream).",
  whole: fimSchema,
  chunk: fimSchema,
  maxTokens: (body) => [['max_tokens', body.max_tokens]],
  ask(body, engine, { modelName, settings }) {
    const fields = {
      ...body,
      textKind: 'content' as const,
      top_k: Math.max(body.top_k ?? DEFAULTS.topK, 0),
      max_tokens: body.max_tokens ?? defaultMaxTokens('fim', settings.maxTokens),
    };
    const request = engine.fit(resolveRequest(fields, engine.model, settings));
    const writer = new FimBody(modelName, request.seed, body.stream_options?.include_usage ?? false);
    return { requests: [request], writer };
  },
};
