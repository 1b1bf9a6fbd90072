/** The bodies of `/v1/edit/completions`. */
import { z } from '@hono/zod-openapi';
import { DEFAULT_EDITING, type EditingSettings, editingParameters } from '../../engine/editing/edit-request.ts';
import { usageSchema } from '../fields/answers.ts';
import { compatibleFields } from '../fields/compatible.ts';
import { messageSchema } from '../fields/messages.ts';
import { checkStreamFields, streamFields } from '../fields/stream.ts';
import { accepted, modelField, text } from '../fields/text.ts';

/** `tauMask` -> `tau_mask`. */
function wireName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

const settingNames = Object.keys(editingParameters) as (keyof EditingSettings)[];
const wireSettings = z.strictObject(
  Object.fromEntries(
    settingNames.map((name) => [
      wireName(name),
      editingParameters[name]
        .optional()
        .describe(`${editingParameters[name].description} Default ${DEFAULT_EDITING[name]}.`),
    ]),
  ),
);

/** The engine's settings by the API's names; those that were not sent are left out. */
const settingsField = wireSettings
  .transform((wire): Partial<EditingSettings> => {
    const sent = settingNames.filter((name) => wire[wireName(name)] !== undefined);
    return Object.fromEntries(sent.map((name) => [name, wire[wireName(name)]]));
  })
  .nullish()
  .openapi({ description: 'What decides about an edit.' });

const undrawn = accepted('an edit draws nothing: it is made where the model is sure, or not at all.');

export const editRequestSchema = z
  .object({
    ...compatibleFields,
    model: modelField,
    messages: z.array(messageSchema).min(1, 'must not be empty').max(4, 'must be at most 4').optional().openapi({
      description:
        "Mercury's form: the last user message has the code between `<|code_to_edit|>` and `<|/code_to_edit|>`, inside `<|current_file_content|>`. Other tags and messages are accepted and not read.",
    }),
    code: text.optional().openapi({ description: 'The plain form: the code itself.' }),
    instruction: text.max(2000).nullish().openapi({
      description: 'With `code`: put before it as a comment. A model of this size mostly ignores it.',
    }),
    filename: text.max(1024).nullish().openapi({
      description:
        "With `instruction`: the ending of this name says how the language writes a comment. Default: as TypeScript's.",
    }),
    region: z
      .strictObject({ start: z.int().min(0), end: z.int().min(0) })
      .nullish()
      .openapi({ description: 'With `code`: only what lies in it is changed, in UTF-16 units. Default: all of it.' }),
    settings: settingsField,
    ...streamFields,
    max_tokens: z.int().min(1).nullish().openapi({
      description: 'Accepted: the result is as long as its code, give or take a few tokens.',
    }),
    temperature: undrawn,
    top_p: undrawn,
    top_k: undrawn,
    seed: undrawn,
    random_seed: undrawn,
    logit_bias: undrawn,
    frequency_penalty: undrawn,
    presence_penalty: undrawn,
    repetition_penalty: undrawn,
    repeat_penalty: undrawn,
    repeat_last_n: undrawn,
    min_p: undrawn,
    stop: accepted('nothing is written that could run on.'),
  })
  .superRefine((body, context) => {
    checkStreamFields(body, context);
    const { code, messages } = body;
    const refuse = (path: string, message: string, problem: string) =>
      context.addIssue({ code: 'custom', path: [path], message, params: { code: problem } });
    if (code === undefined && messages === undefined) refuse('code', "or 'messages'", 'missing_required_parameter');
    if (code !== undefined && messages !== undefined) refuse('code', "does not go with 'messages'", 'invalid_value');
    if (messages === undefined) return;
    for (const field of ['instruction', 'filename', 'region'] as const) {
      if (body[field] != null) refuse(field, "goes only with 'code'", 'invalid_value');
    }
  })
  .openapi('EditRequest');

const rangeSchema = { start: z.int(), end: z.int() };
const changeSchema = z.object({
  ...rangeSchema,
  old_text: z.string(),
  new_text: z.string(),
  confidence: z.number().openapi({ description: 'Mean probability of the new tokens.' }),
  gain: z.number().openapi({ description: 'By how much the new text is more probable than the old, in nats.' }),
});
const spanSchema = z
  .object({
    ...rangeSchema,
    pass: z.int(),
    text: z.string(),
    causal_prob: z.number(),
    leave_one_out_prob: z.number(),
    best: changeSchema.nullable(),
    accepted: z.boolean(),
  })
  .openapi({ description: 'A place that the model found improbable, changed or not.' });

const extensionSchema = z
  .object({
    text: z.string().openapi({ description: 'The code as edited, without a fence.' }),
    diff: z.string().openapi({ description: 'Unified; empty when nothing changed.' }),
    edits: z.array(changeSchema),
    spans: z.array(spanSchema),
    passes: z.int(),
    complete: z.boolean().openapi({ description: 'False when `max_forwards` came first.' }),
    nfe: z.int(),
    position_forwards: z.int(),
    ms: z.number(),
  })
  .openapi({ description: 'Offsets are UTF-16 units of the code to edit.' });

const head = { id: z.string(), created: z.int(), model: z.string() };

export const editSchema = z
  .object({
    ...head,
    object: z.literal('edit.completion'),
    choices: z.array(
      z.object({
        index: z.int(),
        message: z.object({ role: z.literal('assistant'), content: z.string() }),
        finish_reason: z.literal('stop'),
      }),
    ),
    usage: usageSchema,
    seedling: extensionSchema,
  })
  .openapi('EditCompletion');

export const editChunkSchema = z
  .object({
    ...head,
    object: z.literal('chat.completion.chunk'),
    choices: z.array(
      z.object({
        index: z.int(),
        delta: z.object({ role: z.literal('assistant').optional(), content: z.string().optional() }),
        finish_reason: z.literal('stop').nullable(),
      }),
    ),
    usage: usageSchema.nullish(),
    diffusing: z.object({ span: spanSchema }).optional(),
    seedling: extensionSchema.optional(),
  })
  .openapi('EditCompletionChunk');

export type EditFields = z.output<typeof editRequestSchema>;
export type EditCompletion = z.output<typeof editSchema>;
export type EditChunk = z.output<typeof editChunkSchema>;
export type EditExtension = z.output<typeof extensionSchema>;
