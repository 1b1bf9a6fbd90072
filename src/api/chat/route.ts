/** `POST /v1/chat/completions`: the model's own chat template, then a completion like any other. */
import { type ChatEnding, chatPrompt, requireFreeNames } from '../../engine/chat-prompt.ts';
import { DEFAULTS, defaultMaxTokens } from '../../engine/defaults.ts';
import { contextLimit, requireMayFit } from '../../engine/generation/prompt-length.ts';
import type { GenerateRequest } from '../../engine/request.ts';
import { contentOf } from '../fields/messages.ts';
import { predictedBy } from '../fields/prediction.ts';
import { copiesOf, resolveRequest } from '../generate/resolve.ts';
import type { Endpoint } from '../generate/route.ts';
import type { ApiSettings, ServedEngine } from '../host.ts';
import { ChatBody } from './body.ts';
import { type ChatRequest, chatChunkSchema, chatRequestSchema, chatSchema, continuesLast } from './schema.ts';

export const chat: Endpoint<ChatRequest> = {
  path: '/v1/chat/completions',
  summary: 'Answers a chat.',
  description: "Messages are put together by the model's own chat template. Text only: no tools, no images.",
  request: chatRequestSchema,
  answer: 'The answer, or with `stream` its pieces, the role in the first.',
  whole: chatSchema,
  chunk: chatChunkSchema,
  maxTokens: (body) => [
    ['max_tokens', body.max_tokens],
    ['max_completion_tokens', body.max_completion_tokens],
  ],
  alternatives: (body) => ['top_logprobs', body.top_logprobs],
  ask(body, engine, host) {
    const n = body.n ?? DEFAULTS.n;
    const request = resolveChat(body, engine, host.settings);
    const writer = new ChatBody(host.modelName, request.seed, n, body.logprobs ?? false);
    return { requests: copiesOf(request, n), writer };
  },
};

function resolveChat(body: ChatRequest, engine: ServedEngine, settings: ApiSettings): GenerateRequest {
  const { model, tokenizer } = engine;
  const messages = body.messages.map(({ role, content, name }) => ({
    role: role === 'developer' ? ('system' as const) : role,
    content: contentOf({ content }),
    ...(name != null && { name }),
  }));
  const variables = body.chat_template_kwargs ?? {};
  requireFreeNames(variables, 'chat_template_kwargs');
  const { reasoning_effort } = body;
  const effort = reasoning_effort == null ? {} : { reasoning_effort };
  const text = chatPrompt(messages, tokenizer, model.config, { ...effort, ...variables }, endingOf(body));
  requireMayFit(text, 'messages', engine);
  const ids = Array.from(tokenizer.encode(text, 'frame'));
  // A turn may have been cut inside a token: the engine gets its text, and lets the answer begin with that token.
  const prompt = continuesLast(body) ? { prompt: text, textKind: 'frame' as const } : { prompt: ids };
  const given = body.max_completion_tokens ?? body.max_tokens ?? -1;
  const left = contextLimit(engine) - ids.length;
  const max_tokens = given > 0 ? given : Math.max(Math.min(defaultMaxTokens('chat', settings.maxTokens), left), 1);
  const logprobs = body.logprobs ? { alternatives: body.top_logprobs ?? DEFAULTS.alternatives, prompt: false } : null;
  const predicted = predictedBy(body.prediction);
  const fields = { ...body, ...prompt, suffix: null, max_tokens, predicted };
  return engine.fit({ ...resolveRequest(fields, model, settings), logprobs });
}

function endingOf(body: ChatRequest): ChatEnding {
  if (continuesLast(body)) return 'within_turn';
  return body.add_generation_prompt === false ? 'closed' : 'next_turn';
}
