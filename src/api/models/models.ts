/** `GET /v1/models` and `GET /v1/models/{model}`. */
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { DEFAULTS } from '../../engine/defaults.ts';
import { contextLimit } from '../../engine/generation/prompt-length.ts';
import type { ModelConfig } from '../../model/config.ts';
import { failures, refusals } from '../fields/openapi.ts';
import { requireModel } from '../generate/model-name.ts';
import type { Host } from '../host.ts';

const context = (whose: string) =>
  z
    .int()
    .optional()
    .openapi({ description: `Tokens of one request at most: ${whose}.` });

/** What clients of OpenAI, Mistral, vLLM, OpenRouter, Groq and llama.cpp read of a model. */
const modelSchema = z
  .object({
    id: z.string(),
    object: z.literal('model'),
    created: z.int().openapi({ description: 'When the model was made, in seconds since 1970.' }),
    owned_by: z.string(),
    type: z.literal('base'),
    name: z.string(),
    description: z.string().nullable(),
    aliases: z.array(z.string()),
    deprecation: z.null(),
    root: z.string(),
    parent: z.null(),
    default_model_temperature: z.number(),
    capabilities: z
      .object({
        completion_chat: z.boolean(),
        completion_fim: z.boolean(),
        function_calling: z.literal(false),
        reasoning: z.literal(false),
        fine_tuning: z.literal(false),
        vision: z.literal(false),
        ocr: z.literal(false),
        classification: z.literal(false),
        moderation: z.literal(false),
        audio: z.literal(false),
      })
      .openapi({ description: "Mistral's list. Chat needs a template, FIM markers around a hole." }),
    max_context_length: context("Mistral's name"),
    max_model_len: context("vLLM's name"),
    context_length: context("OpenRouter's name"),
    context_window: context("Groq's name"),
    meta: z
      .object({ n_ctx: z.int(), n_ctx_train: z.int(), n_vocab: z.int(), n_embd: z.int() })
      .optional()
      .openapi({ description: "llama.cpp's numbers. `n_ctx_train` is what the model was trained for." }),
  })
  .openapi('Model');
type ModelCard = z.output<typeof modelSchema>;

const listRoute = createRoute({
  method: 'get',
  path: '/v1/models',
  responses: {
    200: {
      description: 'The one model of this host.',
      content: {
        'application/json': { schema: z.object({ object: z.literal('list'), data: z.array(modelSchema) }) },
      },
    },
    ...refusals,
  },
});

const oneRoute = createRoute({
  method: 'get',
  path: '/v1/models/{model}',
  request: { params: z.object({ model: z.string() }) },
  responses: {
    200: { description: 'The model.', content: { 'application/json': { schema: modelSchema } } },
    404: failures[404],
    ...refusals,
  },
});

export function registerModels(app: OpenAPIHono, host: Host): void {
  /** For a model that does not say when it was made: when it was first asked for, in seconds. */
  let seen: number | null = null;
  const card = async (): Promise<ModelCard> => {
    seen ??= Math.floor(Date.now() / 1000);
    const config = await host.config();
    return { ...cardOf(host.modelName, config, seen), ...lengthsOf(host, config) };
  };
  app.openapi(listRoute, async (c) => c.json({ object: 'list' as const, data: [await card()] }, 200));
  app.openapi(oneRoute, async (c) => {
    requireModel(host, c.req.valid('param').model);
    return c.json(await card(), 200);
  });
}

function cardOf(id: string, config: ModelConfig | null, seen: number): ModelCard {
  return {
    id,
    object: 'model',
    created: config?.created ?? seen,
    owned_by: 'seedling',
    type: 'base',
    name: id,
    description: null,
    aliases: [],
    deprecation: null,
    root: id,
    parent: null,
    default_model_temperature: DEFAULTS.temperature,
    capabilities: {
      completion_chat: config?.chatTemplate !== undefined,
      completion_fim: config !== null && config.infill !== null,
      function_calling: false,
      reasoning: false,
      fine_tuning: false,
      vision: false,
      ocr: false,
      classification: false,
      moderation: false,
      audio: false,
    },
  };
}

/** Before the model is loaded, the pool is as large as its setting. */
function lengthsOf(host: Host, config: ModelConfig | null): Partial<ModelCard> {
  if (config === null) return {};
  const state = host.state();
  const pool = state.status === 'ok' ? state.engine.model.maxTokens : (host.settings.kvTokens ?? config.contextLength);
  const length = contextLimit({ model: { config, maxTokens: pool } });
  const { contextLength, vocabSize, hiddenSize } = config;
  return {
    max_context_length: length,
    max_model_len: length,
    context_length: length,
    context_window: length,
    meta: { n_ctx: length, n_ctx_train: contextLength, n_vocab: vocabSize, n_embd: hiddenSize },
  };
}
