/** `POST /v1/completions`, streamed and not. */
import { DEFAULTS } from '../../engine/defaults.ts';
import type { GenerateRequest } from '../../engine/request.ts';
import { textOf } from '../../engine/tokenizer/detokenizer.ts';
import { predictedBy } from '../fields/prediction.ts';
import { type OnePrompt, promptsOf } from '../fields/prompt.ts';
import { templatedHole } from '../generate/fim-prompt.ts';
import { copiesOf, resolveRequest } from '../generate/resolve.ts';
import type { Endpoint } from '../generate/route.ts';
import type { Host, ServedEngine } from '../host.ts';
import { CompletionBody } from './body.ts';
import { type CompletionRequest, completionRequestSchema, completionSchema } from './schema.ts';

export const completions: Endpoint<CompletionRequest> = {
  path: '/v1/completions',
  summary: 'Completes a text, or fills the hole between two.',
  request: completionRequestSchema,
  answer: 'The completion, or with `stream` one event per piece of text and `data: [DONE]` at the end.',
  whole: completionSchema,
  chunk: completionSchema,
  maxTokens: (body) => [['max_tokens', body.max_tokens]],
  alternatives: (body) => ['logprobs', body.logprobs],
  ask(body, engine, host) {
    const prompts = promptsOf(body.prompt);
    const n = body.n ?? DEFAULTS.n;
    const bestOf = body.best_of ?? n;
    const requests = prompts.flatMap((prompt) => candidates(engine, host, body, prompt, bestOf, bestOf > n));
    const writer = new CompletionBody({
      model: host.modelName,
      seed: requests[0]!.seed,
      n,
      bestOf,
      logprobs: body.logprobs ?? null,
      echo: body.echo ? prompts.map((prompt) => echoOf(prompt, engine)) : null,
    });
    return { requests, writer };
  },
};

/** The requests of one prompt. @param ranked they will be told apart by their probability */
function candidates(
  engine: ServedEngine,
  { settings }: Host,
  body: CompletionRequest,
  prompt: OnePrompt,
  count: number,
  ranked: boolean,
): GenerateRequest[] {
  const { logprobs, echo } = body;
  const fields = { ...body, ...holeOf(prompt, body, engine), predicted: predictedBy(body.prediction) };
  const request = resolveRequest(fields, engine.model, settings);
  const asked = logprobs ?? null;
  const judged =
    asked !== null || ranked
      ? { alternatives: asked ?? DEFAULTS.alternatives, prompt: asked !== null && echo === true }
      : null;
  return copiesOf(engine.fit({ ...request, logprobs: judged }), count);
}

/** A prompt that some template has built around a hole is taken apart again. */
function holeOf(prompt: OnePrompt, { suffix, echo }: CompletionRequest, { model }: ServedEngine) {
  const hole = suffix || echo ? null : templatedHole(prompt, model.config);
  return hole ? { prompt: hole.prefix, suffix: hole.suffix, textKind: 'content' as const } : { prompt, suffix };
}

function echoOf(prompt: OnePrompt, { tokenizer }: ServedEngine): string {
  return typeof prompt === 'string' ? prompt : textOf(prompt, tokenizer);
}
