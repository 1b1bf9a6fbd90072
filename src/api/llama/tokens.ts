/** `POST /tokenize`, `POST /detokenize` and `GET /props`, as llama.cpp's server has them. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { DEFAULTS, defaultMaxTokens } from '../../engine/defaults.ts';
import { contextLimit, requireMayFit } from '../../engine/generation/prompt-length.ts';
import { requireInVocabulary } from '../../engine/token-ids.ts';
import { textOf, wholeText } from '../../engine/tokenizer/detokenizer.ts';
import { nameIgnored, unknownFieldsOf } from '../fields/ignored.ts';
import { failures, jsonBody, refusals } from '../fields/openapi.ts';
import { text } from '../fields/text.ts';
import { loadEngine } from '../generate/load-engine.ts';
import type { Host } from '../host.ts';

const pieceSchema = z.object({ id: z.int(), piece: z.union([z.string(), z.array(z.int())]) });

const tokenizeSchema = z
  .object({
    content: text,
    add_special: z.boolean().nullish().openapi({
      description: "Before them the tokens that the model's tokenizer puts before a prompt. Default false.",
    }),
    parse_special: z.boolean().nullish().openapi({
      description: 'The text of a special token is that token; false: it is text like any other. Default true.',
    }),
    with_pieces: z.boolean().nullish().openapi({
      description: 'With the text of each token, or its bytes where that is no whole character.',
    }),
  })
  .openapi('TokenizeRequest');

const tokenizeRoute = createRoute({
  method: 'post',
  path: '/tokenize',
  summary: 'A text as token ids.',
  request: jsonBody(tokenizeSchema),
  responses: {
    200: {
      description: 'The ids.',
      content: { 'application/json': { schema: z.object({ tokens: z.array(z.union([z.int(), pieceSchema])) }) } },
    },
    ...failures,
  },
});

const detokenizeSchema = z
  .object({
    tokens: z
      .unknown()
      .superRefine((value, context) => {
        const good = Array.isArray(value) && value.every((id) => Number.isSafeInteger(id) && id >= 0);
        if (!good)
          context.addIssue({
            code: 'custom',
            message: 'must be an array of token ids',
            params: { code: 'invalid_type' },
          });
      })
      .openapi({ type: 'array', items: { type: 'integer' } }),
  })
  .openapi('DetokenizeRequest');

const detokenizeRoute = createRoute({
  method: 'post',
  path: '/detokenize',
  summary: 'Token ids as text.',
  request: jsonBody(detokenizeSchema),
  responses: {
    200: {
      description: 'The text; special tokens have none.',
      content: { 'application/json': { schema: z.object({ content: z.string() }) } },
    },
    ...failures,
  },
});

const propsSchema = z
  .object({
    default_generation_settings: z.object({
      n_ctx: z.int().openapi({ description: 'Tokens of one request at most, prompt and completion together.' }),
      params: z.object({ n_predict: z.int(), temperature: z.number(), top_k: z.int(), top_p: z.number() }),
    }),
    total_slots: z.int().openapi({ description: 'Requests that run at once at most.' }),
    model_alias: z.string(),
    model_path: z.string(),
    chat_template: z.string(),
    modalities: z.object({ vision: z.literal(false), audio: z.literal(false) }),
    build_info: z.string(),
    is_sleeping: z.literal(false),
    seedling: z.object({
      runtime: z.string().openapi({ description: 'What runs the model.' }),
      dot: z
        .enum(['vpdpbusd', 'vpmaddubsw', 'sdot', 'other', 'plain'])
        .nullable()
        .openapi({
          description:
            "The instruction behind the int4 products of this server's kernels: vpdpbusd on x64 with AVX-VNNI, vpmaddubsw " +
            'without it, sdot on ARM, plain in the build without relaxed SIMD. null for a runtime that has no such kernels.',
        }),
      architecture: z.string(),
      block_length: z.int(),
      infill: z.boolean(),
    }),
  })
  .openapi('Props');

const propsRoute = createRoute({
  method: 'get',
  path: '/props',
  summary: 'What this server runs.',
  responses: {
    200: {
      description: "llama.cpp's fields, and this server's own.",
      content: { 'application/json': { schema: propsSchema } },
    },
    503: failures[503],
    504: failures[504],
    ...refusals,
  },
});

export function registerTokens(app: OpenAPIHono, host: Host): void {
  app.openapi(tokenizeRoute, async (c) => {
    nameIgnored(c, await unknownFieldsOf(c, tokenizeSchema, host.settings.unknownFields));
    const { content, add_special, parse_special, with_pieces } = c.req.valid('json');
    const engine = await loadEngine(c, host);
    requireMayFit(content, 'content', engine);
    const { tokenizer } = engine;
    const first = tokenizer.firstTokens;
    const prompt =
      parse_special === false
        ? [...first, ...tokenizer.encode(content, 'content')]
        : Array.from(tokenizer.encode(content, 'prompt'));
    const ids = add_special ? prompt : prompt.slice(first.length);
    const pieces = () => ids.map((id) => ({ id, piece: pieceOf(tokenizer.bytes(id)) }));
    return c.json({ tokens: with_pieces ? pieces() : ids }, 200);
  });

  app.openapi(detokenizeRoute, async (c) => {
    nameIgnored(c, await unknownFieldsOf(c, detokenizeSchema, host.settings.unknownFields));
    const ids = c.req.valid('json').tokens as readonly number[];
    const { model, tokenizer } = await loadEngine(c, host);
    requireInVocabulary(ids, model.config.vocabSize, 'tokens');
    return c.json({ content: textOf(ids, tokenizer) }, 200);
  });

  app.openapi(propsRoute, async (c) => {
    const engine = await loadEngine(c, host);
    const { model } = engine;
    const { config } = model;
    return c.json(
      {
        default_generation_settings: {
          n_ctx: contextLimit(engine),
          params: {
            n_predict: defaultMaxTokens('llama', host.settings.maxTokens),
            temperature: DEFAULTS.temperature,
            top_k: DEFAULTS.topK,
            top_p: DEFAULTS.topP,
          },
        },
        total_slots: engine.queue.concurrency,
        model_alias: host.modelName,
        model_path: host.modelName,
        chat_template: config.chatTemplate?.template ?? '',
        modalities: { vision: false as const, audio: false as const },
        build_info: 'seedling',
        is_sleeping: false as const,
        seedling: {
          runtime: model.runtime,
          dot: model.dot ?? null,
          architecture: config.architecture,
          block_length: config.blockLength,
          infill: config.infill !== null,
        },
      },
      200,
    );
  });
}

function pieceOf(bytes: Uint8Array): string | number[] {
  return wholeText(bytes) ?? Array.from(bytes);
}
