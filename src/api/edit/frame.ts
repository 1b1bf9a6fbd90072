/**
 * Turns a body of `/v1/edit/completions` into a request to the engine, and the engine's result into the caller's code.
 */
import {
  DEFAULT_EDITING,
  type EditRequest,
  type EditResult,
  type EditSpan,
  type TextEdit,
} from '../../engine/editing/edit-request.ts';
import { contextLimit, requireMayFit } from '../../engine/generation/prompt-length.ts';
import type { Cost } from '../../engine/request.ts';
import { ApiError } from '../errors.ts';
import { contentOf } from '../fields/messages.ts';
import { fitInfill } from '../generate/fit-infill.ts';
import type { ServedEngine } from '../host.ts';
import { fenced, readTaggedEdit } from './mercury.ts';
import type { EditExtension, EditFields } from './schema.ts';

export interface FramedEdit {
  readonly request: EditRequest;
  /** Where the caller's code begins and ends in what the engine is given. */
  readonly start: number;
  readonly end: number;
  /** The new code as `content`. */
  readonly shown: (code: string) => string;
}

/** Share of the context that the code around what is edited may take. */
const CONTEXT_SHARE = 0.5;

/** @throws ApiError for messages without code to edit */
export function frameEdit(body: EditFields, engine: ServedEngine): FramedEdit {
  const settings = { ...DEFAULT_EDITING, ...body.settings };
  if (body.messages === undefined) {
    const code = body.code ?? '';
    const request = {
      kind: 'edit' as const,
      code,
      instruction: body.instruction || null,
      filename: body.filename ?? null,
      region: body.region ?? null,
      settings,
    };
    return { request, start: 0, end: code.length, shown: (text) => text };
  }
  const { before, code, after } = readMessages(body.messages);
  requireMayFit(code, 'messages', engine);
  const limit = contextLimit(engine);
  const left = limit - engine.tokenizer.encode(code, 'content').length;
  const room = Math.max(Math.floor(Math.min(limit * CONTEXT_SHARE, left * 0.8)), 0);
  const around = fitInfill({ extra: [], prefix: before, suffix: after }, room, engine.tokenizer);
  const start = around.prefix.length;
  const end = start + code.length;
  const whole = around.prefix + code + around.suffix;
  const request = {
    kind: 'edit' as const,
    code: whole,
    instruction: null,
    filename: null,
    region: { start, end },
    settings,
  };
  return { request, start, end, shown: fenced };
}

function readMessages(messages: NonNullable<EditFields['messages']>) {
  const index = messages.findLastIndex(({ role }) => role === 'user');
  const message = messages[index];
  const tagged = message ? readTaggedEdit(contentOf(message)) : null;
  if (tagged && tagged.code !== '') return tagged;
  throw new ApiError(
    400,
    "Invalid 'messages': the last user message must have code between <|code_to_edit|> and <|/code_to_edit|>.",
    'invalid_value',
    `messages.${Math.max(index, 0)}.content`,
  );
}

/** The caller's code as the result has it: nothing outside of it was changed. */
export function editedCode({ start, end, request }: FramedEdit, { text }: EditResult): string {
  return text.slice(start, text.length - (request.code.length - end));
}

export function extensionOf(framed: FramedEdit, result: EditResult, cost: Cost): EditExtension {
  const { diff, edits, spans, passes, complete } = result;
  return {
    text: editedCode(framed, result),
    diff,
    edits: edits.map((edit) => changeOf(edit, framed.start)),
    spans: spans.map((span) => spanOf(span, framed)),
    passes,
    complete,
    nfe: cost.nfe,
    position_forwards: cost.positionForwards,
    ms: cost.decodeMs,
  };
}

export function spanOf(
  { start, end, causalProb, leaveOneOutProb, best, pass, text, accepted }: EditSpan,
  { start: origin }: FramedEdit,
) {
  return {
    start: start - origin,
    end: end - origin,
    pass,
    text,
    causal_prob: causalProb,
    leave_one_out_prob: leaveOneOutProb,
    best: best && changeOf(best, origin),
    accepted,
  };
}

function changeOf({ start, end, oldText, newText, confidence, gain }: TextEdit, origin: number) {
  return { start: start - origin, end: end - origin, old_text: oldText, new_text: newText, confidence, gain };
}
