/** `POST /v1/chat/completions`: the model's own chat template, then a completion like any other. */
import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import { chatPrompt } from '../../engine/chat-prompt.ts';
import { DEFAULTS, defaultMaxTokens } from '../../engine/defaults.ts';
import { contextLimit, requireMayFit } from '../../engine/generation/prompt-length.ts';
import type { GenerateRequest } from '../../engine/request.ts';
import { contentOf } from '../fields/messages.ts';
import { answer, failures, jsonBody } from '../fields/openapi.ts';
import { answerAtOnce, answerInEvents } from '../generate/answer.ts';
import { loadEngine } from '../generate/load-engine.ts';
import { requireModel } from '../generate/model-name.ts';
import { checkAlternatives, checkMaxTokens, resolveRequest } from '../generate/resolve.ts';
import { streamSoon } from '../generate/stream-soon.ts';
import type { ApiSettings, Engine, Host } from '../host.ts';
import { ChatBody } from './body.ts';
import { type ChatRequest, chatChunkSchema, chatRequestSchema, chatSchema } from './schema.ts';

const route = createRoute({
  method: 'post',
  path: '/v1/chat/completions',
  summary: 'Answers a chat.',
  description: "Messages are put together by the model's own chat template. Text only: no tools, no images.",
  request: jsonBody(chatRequestSchema),
  responses: {
    200: answer('The answer, or with `stream` its pieces, the role in the first.', chatSchema, chatChunkSchema),
    ...failures,
  },
});

export function registerChat(app: OpenAPIHono, host: Host): void {
  app.openapi(route, async (c): Promise<never> => {
    const body = c.req.valid('json');
    requireModel(host, body.model);
    checkMaxTokens(host.settings, body.max_tokens, 'max_tokens');
    checkMaxTokens(host.settings, body.max_completion_tokens, 'max_completion_tokens');
    const engine = await loadEngine(c, host);
    checkAlternatives(engine.model, body.top_logprobs ?? 0, 'top_logprobs');
    const n = body.n ?? DEFAULTS.n;
    const request = resolveChat(body, engine, host.settings);
    const requests = Array.from({ length: n }, (_, j) => ({ ...request, seed: request.seed + j }));
    const written = new ChatBody(host.modelName, request.seed, n, body.logprobs ?? false);
    const fields = { includeUsage: body.stream_options?.include_usage ?? false, diffusing: body.diffusing ?? false };
    const response = body.stream
      ? await streamSoon(c, (c) => answerInEvents(c, engine, requests, written, fields))
      : await answerAtOnce(c, engine, requests, (results) => written.whole(results));
    return response as never;
  });
}

function resolveChat(body: ChatRequest, engine: Engine, settings: ApiSettings): GenerateRequest {
  const { model, tokenizer } = engine;
  const messages = body.messages.map(({ role, content, name }) => ({
    role: role === 'developer' ? ('system' as const) : role,
    content: contentOf({ content }),
    ...(name != null && { name }),
  }));
  const text = chatPrompt(messages, tokenizer, model.config);
  requireMayFit(text, 'messages', engine);
  const prompt = Array.from(tokenizer.encode(text, 'frame'));
  const given = body.max_completion_tokens ?? body.max_tokens ?? -1;
  const left = contextLimit(engine) - prompt.length;
  const max_tokens = given > 0 ? given : Math.max(Math.min(defaultMaxTokens('chat', settings.maxTokens), left), 1);
  const logprobs = body.logprobs ? { alternatives: body.top_logprobs ?? 0, prompt: false } : null;
  return { ...resolveRequest({ ...body, prompt, max_tokens }, model, settings), logprobs };
}
