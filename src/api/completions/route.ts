/** `POST /v1/completions`, streamed and not. */
import { createRoute, type OpenAPIHono } from '@hono/zod-openapi';
import { DEFAULTS } from '../../engine/defaults.ts';
import type { GenerateRequest } from '../../engine/request.ts';
import { textOf } from '../../engine/tokenizer/detokenizer.ts';
import { answer, failures, jsonBody } from '../fields/openapi.ts';
import { type OnePrompt, promptsOf } from '../fields/prompt.ts';
import { answerAtOnce, answerInEvents } from '../generate/answer.ts';
import { templatedHole } from '../generate/fim-prompt.ts';
import { loadEngine } from '../generate/load-engine.ts';
import { requireModel } from '../generate/model-name.ts';
import { checkAlternatives, checkMaxTokens, resolveRequest } from '../generate/resolve.ts';
import { streamSoon } from '../generate/stream-soon.ts';
import type { Engine, Host } from '../host.ts';
import { CompletionBody } from './body.ts';
import { type CompletionRequest, completionRequestSchema, completionSchema } from './schema.ts';

const route = createRoute({
  method: 'post',
  path: '/v1/completions',
  summary: 'Completes a text, or fills the hole between two.',
  request: jsonBody(completionRequestSchema),
  responses: {
    200: answer(
      'The completion, or with `stream` one event per piece of text and `data: [DONE]` at the end.',
      completionSchema,
      completionSchema,
    ),
    ...failures,
  },
});

export function registerCompletions(app: OpenAPIHono, host: Host): void {
  app.openapi(route, async (c): Promise<never> => {
    const body = c.req.valid('json');
    requireModel(host, body.model);
    checkMaxTokens(host.settings, body.max_tokens, 'max_tokens');
    const engine = await loadEngine(c, host);
    checkAlternatives(engine.model, body.logprobs ?? 0, 'logprobs');
    const prompts = promptsOf(body.prompt);
    const n = body.n ?? DEFAULTS.n;
    const bestOf = body.best_of ?? n;
    const requests = candidates(engine, host, body, prompts, bestOf, bestOf > n);
    const written = new CompletionBody({
      model: host.modelName,
      seed: requests[0]?.seed ?? 0,
      n,
      bestOf,
      logprobs: body.logprobs ?? null,
      echo: body.echo ? prompts.map((prompt) => echoOf(prompt, engine)) : null,
    });
    const fields = { includeUsage: body.stream_options?.include_usage ?? false, diffusing: body.diffusing ?? false };
    const response = body.stream
      ? await streamSoon(c, (c) => answerInEvents(c, engine, requests, written, fields))
      : await answerAtOnce(c, engine, requests, (results) => written.whole(results));
    // A stream has no typed form; zod-openapi would accept only its typed responses.
    return response as never;
  });
}

/** All of the first prompt, then all of the second, ... @param ranked they will be told apart by their probability */
function candidates(
  engine: Engine,
  host: Host,
  body: CompletionRequest,
  prompts: readonly OnePrompt[],
  perPrompt: number,
  ranked: boolean,
): GenerateRequest[] {
  const { logprobs, echo } = body;
  const asked = logprobs ?? null;
  return prompts.flatMap((prompt) => {
    const { seed: given, ...fields } = { ...body, ...holeOf(prompt, body, engine) };
    const request = resolveRequest({ ...fields, seed: given }, engine.model, host.settings);
    const judged =
      asked !== null || ranked ? { alternatives: asked ?? 0, prompt: asked !== null && echo === true } : null;
    return Array.from({ length: perPrompt }, (_, j) => ({ ...request, seed: request.seed + j, logprobs: judged }));
  });
}

/** A prompt that some template has built around a hole is taken apart again. */
function holeOf(prompt: OnePrompt, { suffix, echo }: CompletionRequest, { model }: Engine) {
  const hole = suffix || echo ? null : templatedHole(prompt, model.config);
  return hole ? { prompt: hole.prefix, suffix: hole.suffix, textKind: 'content' as const } : { prompt, suffix };
}

function echoOf(prompt: OnePrompt, { tokenizer }: Engine): string {
  return typeof prompt === 'string' ? prompt : textOf(prompt, tokenizer);
}
