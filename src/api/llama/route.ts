/** `POST /completion` and `POST /infill`, as llama.cpp's server has them. llama.vscode and Tabby call these. */
import { z } from '@hono/zod-openapi';
import { commentLine } from '../../engine/comment-line.ts';
import { DEFAULTS, defaultMaxTokens } from '../../engine/defaults.ts';
import { fileAroundHole, withLineFeeds } from '../../engine/generation/line-breaks.ts';
import { contextLimit, requireMayFit } from '../../engine/generation/prompt-length.ts';
import { textOf } from '../../engine/tokenizer/detokenizer.ts';
import { ApiError } from '../errors.ts';
import { promptsOf } from '../fields/prompt.ts';
import type { Asked } from '../generate/answer.ts';
import { templatedHole } from '../generate/fim-prompt.ts';
import { fitInfill } from '../generate/fit-infill.ts';
import { copiesOf, type GenerationFields, resolveRequest } from '../generate/resolve.ts';
import type { Endpoint, Limited } from '../generate/route.ts';
import type { Host, ServedEngine } from '../host.ts';
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
  "llama.cpp's fields. Those that change nothing here are accepted by name, as its clients send all of them. A stream has llama.cpp's form: `{content, stop}`, the last with `stop: true`, and no `[DONE]`.";
const answers = {
  whole: z.union([llamaCompletionSchema, z.array(llamaCompletionSchema)]),
  chunk: z.union([llamaChunkSchema, llamaCompletionSchema]),
};

export const llamaCompletion: Endpoint<LlamaRequest> = {
  path: '/completion',
  summary: "llama.cpp's completion.",
  description: `${description} A prompt that holds FIM markers is taken apart and filled as a hole, as in \`/v1/completions\`.`,
  request: llamaCompletionRequestSchema,
  answer: 'The completion; an array for several.',
  ...answers,
  maxTokens: limits,
  ask(body, engine, host) {
    const prompt = onePrompt(body);
    if (typeof prompt === 'string') requireMayFit(prompt, 'prompt', engine);
    const tokens = typeof prompt === 'string' ? engine.tokenizer.encode(prompt, 'prompt').length : prompt.length;
    const hole = templatedHole(prompt, engine.model.config);
    const around = hole
      ? { prompt: hole.prefix, suffix: hole.suffix, textKind: 'content' as const }
      : { prompt, suffix: null };
    const fields = { ...body, ...around, max_tokens: maxTokens(host, engine, askedTokens(body), tokens) };
    const shown = typeof prompt === 'string' ? prompt : textOf(prompt, engine.tokenizer);
    return asked(host, engine, body, fields, shown, false);
  },
};

export const llamaInfill: Endpoint<InfillRequest> = {
  path: '/infill',
  summary: "llama.cpp's infill.",
  description: `${description} Code that does not fit the context is cut, the lines nearest to the hole kept.`,
  request: infillRequestSchema,
  answer: 'The content of the hole; an array for several.',
  ...answers,
  maxTokens: limits,
  ask(body, engine, host) {
    if (engine.model.config.infill === null) {
      const message = `${host.modelName} was not trained to fill a hole between two texts.`;
      throw new ApiError(400, message, 'unsupported_model', 'input_suffix');
    }
    const limit = contextLimit(engine);
    const wanted = maxTokens(host, engine, askedTokens(body), Math.floor(limit / 2));
    // What leaves no room for code is cut to the half of the context, as -1 is.
    const max_tokens = wanted < limit - FRAME_TOKENS ? wanted : Math.floor(limit / 2);
    // The part of the hole that is written already stands before the part that is not.
    const file = fileAroundHole(body.input_prefix + (body.prompt ?? ''), body.input_suffix);
    const around = {
      extra: (body.input_extra ?? []).map(
        ({ filename, text }) => `${filename ? `${commentLine(filename, filename)}\n` : ''}${withLineFeeds(text)}\n`,
      ),
      prefix: file.prefix,
      suffix: file.suffix,
    };
    const fitted = fitInfill(around, limit - max_tokens - FRAME_TOKENS, engine.tokenizer);
    const { context, prefix, suffix, truncated } = fitted;
    const { lineBreak } = file;
    const fields = { ...body, context, prompt: prefix, suffix, lineBreak, max_tokens, textKind: 'content' as const };
    return asked(host, engine, body, fields, context + prefix, truncated);
  },
};

/** `n_predict` counts where both are sent. */
function limits({ n_predict, max_tokens }: LlamaRequest | InfillRequest): readonly Limited[] {
  return n_predict == null ? [['max_tokens', max_tokens]] : [['n_predict', n_predict]];
}

function askedTokens(body: LlamaRequest | InfillRequest): number | null | undefined {
  return body.n_predict ?? body.max_tokens;
}

/** @param promptTokens what -1 leaves room for */
function maxTokens(
  { settings }: Host,
  engine: ServedEngine,
  given: number | null | undefined,
  promptTokens: number,
): number {
  if (given == null) return defaultMaxTokens('llama', settings.maxTokens);
  if (given >= 0) return Math.min(given, settings.maxTokens);
  return Math.max(Math.min(settings.maxTokens, contextLimit(engine) - promptTokens), 1);
}

function asked(
  host: Host,
  engine: ServedEngine,
  body: LlamaRequest | InfillRequest,
  fields: GenerationFields,
  prompt: string,
  truncated: boolean,
): Asked {
  const none = body['speculative.n_max'] === 0 && { decoding: { ...body.decoding, drafts: [] } };
  const resolved = resolveRequest({ ...fields, ...none }, engine.model, host.settings);
  const request = {
    ...resolved,
    // A request that warms the cache has to begin as the holes that come after it do.
    suffix: resolved.maxTokens === 0 ? (fields.suffix ?? null) : resolved.suffix,
    timeLimitMs: body.t_max_predict_ms ? body.t_max_predict_ms : null,
  };
  const count = body.n_cmpl ?? body.n ?? DEFAULTS.n;
  const requests = copiesOf(engine.fit(request), count);
  return { requests, writer: new LlamaBody(host.modelName, prompt, truncated, requests) };
}

function onePrompt({ prompt }: LlamaRequest) {
  const [first = '', ...others] = promptsOf(prompt);
  if (others.length === 0) return first;
  throw new ApiError(400, "Invalid 'prompt': one at a time here.", 'unsupported_parameter', 'prompt');
}
